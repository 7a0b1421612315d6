// `quorate simulate` as users run it: seeds, threads, replays, and what a failure prints.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { createCli, withFolder } from './support.ts'

const quorate = createCli()
const found = fileURLToPath(new URL('../simulator/found/late-new-view-in-the-log.json', import.meta.url))

describe('simulate', () => {
  it('sums up its seeds, the same on one thread and on two', async () => {
    const seeds = ['simulate', '--seed', '40', '--seeds', '4', '--validators', '4']
    const { exitCode, json } = await quorate(...seeds, '--json')
    expect(exitCode).toBe(0)
    expect(json).toMatchObject({ seeds: 4, failures: [], trace: expect.stringMatching(/^[0-9a-f]{16}$/) })
    expect(json.blocks).toBeGreaterThan(4)
    expect((await quorate(...seeds, '--workers', '2', '--json')).json.trace).toBe(json.trace)
    expect((await quorate(...seeds)).out).toContain(`trace    ${json.trace}`)
  })

  it('runs without faults, or with the kinds that are named', async () => {
    const only = (faults: string) =>
      quorate('simulate', '--seeds', '3', '--validators', '4', '--faults', faults, '--json')
    expect((await only('none')).json.faults).toEqual({})
    expect(Object.keys((await only('pause,power')).json.faults).sort()).toEqual(['pause', 'power'])
  })

  it('refuses what it does not know, and says what there is', async () => {
    for (const [argv, message] of [
      [['--faults', 'gremlins'], /"gremlins" is no kind of fault: they are none, all, crash, write/],
      [['--seeds', '0'], /--seeds/],
      [['--validators', '21'], /--validators/],
      [['--replay', fileURLToPath(import.meta.url)], /is not JSON .*: give a scenario that/],
    ] as const) {
      const { exitCode, err } = await quorate('simulate', ...argv)
      expect(exitCode).toBe(2)
      expect(err).toMatch(message)
    }
  })

  it('replays a scenario, event by event', async () => {
    const { exitCode, out } = await quorate('simulate', '--replay', found, '--trace')
    expect(exitCode).toBe(0)
    expect(out).toMatch(/^0\.000 start 0 ?$/m)
    expect(out).toMatch(/^\d+\.\d+ block \d \d+$/m)
    expect(out).toMatch(/events, height \d+, view \d+, trace [0-9a-f]{16}\s*$/)
  })

  it('prints a failing seed shrunk, as a scenario that fails again', async () => {
    // Given up after so few events, nothing can have run.
    const few = ['--steps', '40']
    const { exitCode, out } = await quorate('simulate', '--seed', '3', '--seeds', '1', '--validators', '4', ...few)
    expect(exitCode).toBe(1)
    expect(out).toMatch(/^seed 3: liveness after/m)
    const scenario = out.trim().split('\n').at(-1)!
    expect(JSON.parse(scenario).faults).toEqual([])
    await withFolder(async (folder) => {
      const file = join(folder, 'scenario.json')
      await writeFile(file, scenario)
      const again = await quorate('simulate', '--replay', file, ...few)
      expect(again.exitCode).toBe(1)
      expect(again.out).toContain('liveness')
    })
  })
})
