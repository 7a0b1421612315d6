/** The same call gives the same result for the same gas: again, after other contracts, rebuilt, and in another process. */
import { execFileSync } from 'node:child_process'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { createSandbox } from '../../../src/execution/sandbox/index.ts'
import { createMemoryNetwork } from '../../contract/memory-host.ts'
import { invocationOf, scriptRunning } from './script.ts'

const work = scriptRunning(`
  const map = new Map()
  for (let index = 0; index < 5000; index++) map.set('k' + (index % 700), { index, root: Math.sqrt(index), text: index.toString(36) })
  const text = JSON.stringify([...map.values()])
  let depth = 0
  const dive = () => { depth++; dive() }
  try { dive() } catch {}
  return [text.length, depth, text.replace(/[0-9]+/g, 'n').length, Math.sin(1e22), (0.1 + 0.2).toFixed(20), ['b', 'ä', 'a'].sort((x, y) => x.localeCompare(y))]`)
const other = scriptRunning(
  `const all = []; for (let index = 0; index < 200; index++) all.push(new Array(500).fill(index)); return all.length`,
)
const counter = scriptRunning('return ++counter', 'let counter = 0')

describe('determinism', () => {
  it('starts every call from the same counter', () => {
    const network = createMemoryNetwork(createSandbox())
    network.deploy('counter', counter)
    for (let round = 0; round < 5; round++) {
      expect(network.call('alice', 'counter', 'run')).toMatchObject({ status: 'ok', result: '1' })
    }
  })

  it('takes the same gas again, after other contracts, and when the image was dropped and rebuilt', () => {
    const first = createSandbox().run(invocationOf(work))
    expect(first).toMatchObject({ status: 'ok' })
    expect(first.gasUsed).toBeGreaterThan(0)
    const tiny = createSandbox({ imageCacheBytes: 1 })
    for (let round = 0; round < 3; round++) {
      expect(tiny.run(invocationOf(work))).toEqual(first)
      expect(tiny.run(invocationOf(other))).toMatchObject({ status: 'ok', result: '200' })
      expect(tiny.run({ ...invocationOf(work), depth: 3 })).toEqual(first)
    }
  })

  it('gives the same in another process and in a worker', async () => {
    const sandbox = createSandbox()
    const expected = JSON.stringify([sandbox.run(invocationOf(work)), sandbox.hashRestoredState(work, 0)])
    const module = new URL('../../../src/execution/sandbox/index.ts', import.meta.url).href
    const { host: _host, ...plain } = invocationOf(work)
    const source = (deliver: string) => `import { createSandbox } from ${JSON.stringify(module)}
      const sandbox = createSandbox(), invocation = ${JSON.stringify(plain)}
      ${deliver}(JSON.stringify([sandbox.run({ ...invocation, host: {} }), sandbox.hashRestoredState(invocation.code, 0)]))`
    for (const flags of [[], ['--liftoff-only']]) {
      const script = source('process.stdout.write')
      const found = execFileSync(process.execPath, [...flags, '--input-type=module', '-e', script], {
        encoding: 'utf8',
      })
      expect(found).toBe(expected)
    }
    const script = `import { parentPort } from 'node:worker_threads'\n${source('parentPort.postMessage')}`
    const url = new URL(`data:text/javascript,${encodeURIComponent(script)}`)
    const worker = new Worker(url, { resourceLimits: { stackSizeMb: 32 } })
    const found = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
    await worker.terminate()
    expect(found).toBe(expected)
  })

  it('stops at the gas limit and nowhere else', () => {
    const sandbox = createSandbox()
    const { gasUsed } = sandbox.run(invocationOf(work))
    expect(sandbox.run(invocationOf(work, gasUsed))).toMatchObject({ status: 'ok', gasUsed })
    const short = sandbox.run(invocationOf(work, gasUsed - 1))
    expect(short).toEqual({ status: 'trap', code: 'OUT_OF_GAS', gasUsed: gasUsed - 1 })
  })

  it('refuses code that is not what its hash says, and two runs at one depth', () => {
    const sandbox = createSandbox()
    expect(() => sandbox.run({ ...invocationOf(work), codeHash: '00' })).toThrow('contract code has hash')
    const asks = scriptRunning(`return ctx.isAddress('x')`)
    const host = { ...invocationOf(asks).host, isAddress: () => sandbox.run(invocationOf(counter)).status === 'ok' }
    expect(() => sandbox.run({ ...invocationOf(asks), host })).toThrow('pass depth + 1')
    expect(sandbox.run(invocationOf(counter))).toMatchObject({ status: 'ok', result: '1' })
  })
})
