// A validator whose ledger is damaged, as its operator meets it: the start refuses and names the mend, the mend is run, the node catches up
// from its peers and votes again. Over real processes under load (docs/operations.md, "Repair").
import { readdir, readFile, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCli } from '../cli/support.ts'
import { ALL, allBut, type Cluster } from './cluster.ts'
import { expectExactlyOnce, expectOneLedger, settled, untilProgress } from './ledgers.ts'
import { type Load, startUnderLoad } from './load.ts'

const HARMED = 1
const OTHER = 3
const RECOVERY_MS = 60_000
const run = createCli()

describe('a validator with a damaged ledger', () => {
  let cluster: Cluster
  let load: Load
  const ledger = () => join(cluster.home(HARMED), 'data', 'ledger')

  beforeAll(async () => {
    ;({ cluster, load } = await startUnderLoad())
  }, 120_000)
  afterAll(() => cluster?.close(), 60_000)

  /** But LevelDB's notes, which it turns over at every attempt to open. */
  const filesIn = async (folder: string) => (await readdir(folder)).filter((name) => !name.startsWith('LOG'))

  /** The network stands or falls with the vote of the validator that was harmed. */
  async function expectItsVote(): Promise<void> {
    await settled(cluster, ALL)
    await cluster.kill(OTHER, 'SIGTERM')
    await untilProgress(cluster, allBut(OTHER), 3, RECOVERY_MS)
    await cluster.start(OTHER)
    await settled(cluster, ALL)
    await expectOneLedger(cluster, ALL, load.certified)
  }

  it('refuses to start, is repaired, catches up and votes', async () => {
    await untilProgress(cluster, ALL, 10)
    await cluster.kill(HARMED, 'SIGTERM')
    await rm(join(ledger(), 'CURRENT'))
    const before = await filesIn(ledger())
    const mend = `quorate ledger repair --home ${cluster.home(HARMED)}`
    for (let times = 0; times < 2; times++) {
      const refusal = await cluster.start(HARMED).then(
        () => 'it started',
        (error: Error) => error.message,
      )
      expect(refusal).toContain('ended (1) before it ran')
      const line = (await cluster.log(HARMED)).trimEnd().split('\n').at(-1)
      expect(line).toContain('the file CURRENT: it is missing')
      expect(line).toContain(mend)
      expect(line).toContain('(LEDGER_DAMAGED)')
    }
    expect(await filesIn(ledger())).toEqual(before)
    const found = await run('doctor', '--home', cluster.home(HARMED), '--json')
    expect(found.json.findings).toMatchObject([{ code: 'LEDGER_DAMAGED', mend: expect.stringContaining(mend) }])

    const repaired = await run('ledger', 'repair', '--home', cluster.home(HARMED), '--json')
    expect([repaired.exitCode, repaired.err]).toEqual([0, expect.any(String)])
    const { outcome, kept, found: highest, setAside } = repaired.json
    expect([outcome, kept >= 10, kept <= highest]).toEqual(['repaired', true, true])
    expect(await filesIn(setAside)).toEqual(before)
    expect((await run('doctor', '--home', cluster.home(HARMED), '--json')).json.findings).toEqual([])
    await cluster.start(HARMED)
    await expectItsVote()
  }, 240_000)

  it('whose journal is gone starts with fewer blocks, fetches them again and votes', async () => {
    await untilProgress(cluster, ALL, 5)
    await cluster.kill(HARMED, 'SIGTERM')
    const journal = (await readdir(ledger())).find((name) => name.endsWith('.log'))!
    expect((await readFile(join(ledger(), journal))).length).toBeGreaterThan(1_000)
    await truncate(join(ledger(), journal), 0)
    await cluster.start(HARMED)
    await expectItsVote()
  }, 240_000)

  it('ran every transfer exactly once', () => expectExactlyOnce(cluster, ALL, load), 60_000)
})
