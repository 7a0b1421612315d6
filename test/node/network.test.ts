// Four validators in one process: one ledger, whatever node is asked; validators that come and go; transactions nobody may slip in.
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  accountOf,
  admin,
  alice,
  createNetwork,
  getJson,
  signed,
  statusOf,
  submit,
  type TestNetwork,
  until,
} from './network.ts'

const bob = accountOf('bob')
const transfer = (amount: string, to = bob.address) => ({ contract: 'token', method: 'transfer', args: { to, amount } })

async function balanceOf(network: TestNetwork, index: number, account: string, minHeight = 0): Promise<unknown> {
  const response = await fetch(network.url(index, `/v1/contracts/token/views/balanceOf?minHeight=${minHeight}`), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ account }),
  })
  return ((await response.json()) as { result: unknown }).result
}

/** All running nodes at one certified height with one block hash and state root. */
function agreement(network: TestNetwork, height: number) {
  const running = network.nodes.flatMap((node, index) => (node === undefined ? [] : [index]))
  return until(
    `agreement at height ${height}`,
    () => Promise.all(running.map((index) => statusOf(network, index))),
    (all) =>
      all.every(
        (one) =>
          one.certifiedHeight >= height && one.blockHash === all[0]!.blockHash && one.stateRoot === all[0]!.stateRoot,
      ),
  )
}

describe('four validators', () => {
  let network: TestNetwork
  let nonce = 0

  beforeAll(async () => {
    network = await createNetwork({ validators: 4, observers: 1 })
    await network.startReady()
  }, 60_000)
  afterAll(async () => {
    await network?.close()
    expect(network?.fatal).toEqual([])
  })

  it('certify a transaction given to one and read from another', async () => {
    const { status, body } = await submit(network, 0, signed(network, alice, nonce++, transfer('5')))
    expect(status).toBe(200)
    expect(body).toMatchObject({
      status: 'ok',
      sender: alice.address,
      nonce: 0,
      contract: 'token',
      height: 1,
      index: 0,
    })
    expect(await balanceOf(network, 3, bob.address, 1)).toBe('5')
    expect(await balanceOf(network, 4, bob.address, 1)).toBe('5')
    await agreement(network, 1)
  })

  it('take transactions at any node, an observer included', async () => {
    for (const index of [1, 2, 3, 4]) {
      const { status, body } = await submit(network, index, signed(network, alice, nonce++, transfer('1')))
      expect([index, status, body.status]).toEqual([index, 200, 'ok'])
    }
  })

  it('run a transaction once, however often and wherever it is sent', async () => {
    const wire = signed(network, alice, nonce++, transfer('7'))
    const answers = await Promise.all([0, 1, 2, 3, 0].map((index) => submit(network, index, wire)))
    for (const { status, body } of answers) expect([status, body.status]).toEqual([200, 'ok'])
    expect(new Set(answers.map(({ body }) => body.height)).size).toBe(1)
    const height = answers[0]!.body.height as number
    expect(await balanceOf(network, 2, bob.address, height)).toBe('16')
    expect((await submit(network, 1, wire, '')).status).toBe(202)
  })

  it('refuse what is wrong with a code that says why, and change nothing', async () => {
    const before = await statusOf(network, 0)
    const good = signed(network, alice, nonce, transfer('1'))
    const broken = Uint8Array.from(good)
    broken[broken.length - 1]! ^= 1
    const cases: [string, Uint8Array, number, string][] = [
      [
        'wrong network',
        signed(network, alice, nonce, { ...transfer('1'), genesisHash: 'aa'.repeat(32) }),
        400,
        'WRONG_NETWORK',
      ],
      ['bad signature', broken, 400, 'BAD_SIGNATURE'],
      ['malformed', good.subarray(1), 400, 'MALFORMED'],
      ['nonce used', signed(network, alice, 0, transfer('2')), 409, 'NONCE_USED'],
      ['nonce far ahead', signed(network, alice, nonce + 100_000, transfer('2')), 409, 'NONCE_TOO_FAR'],
      ['expired', signed(network, alice, nonce, { ...transfer('1'), expires: 1 }), 400, 'EXPIRED'],
      ['gas too low', signed(network, alice, nonce, { ...transfer('1'), gasLimit: 1 }), 400, 'GAS_LIMIT'],
    ]
    for (const [name, wire, status, code] of cases) {
      const answer = await submit(network, 0, wire, '')
      expect([name, answer.status, answer.body.code]).toEqual([name, status, code])
    }
    const after = await statusOf(network, 0)
    expect(after.height).toBe(before.height)
    expect(after).toMatchObject({ mempool: { count: 0 } })
  })

  it('give reverted receipts for calls that fail, and go on', async () => {
    const cases: [object, string][] = [
      [{ contract: 'nothing', method: 'x', args: {} }, 'UNKNOWN_CONTRACT'],
      [{ contract: 'token', method: 'nothing', args: {} }, 'UNKNOWN_METHOD'],
      [{ contract: 'token', method: 'transfer', args: { to: 'nobody', amount: '1' } }, 'THROWN'],
      [{ contract: 'token', method: 'mint', args: { to: bob.address, amount: '1' } }, 'THROWN'],
    ]
    for (const [call, code] of cases) {
      const { status, body } = await submit(network, 0, signed(network, alice, nonce++, call as never))
      expect([status, body.status, (body.error as { code: string }).code]).toEqual([200, 'reverted', code])
    }
    const minted = await submit(
      network,
      0,
      signed(network, admin, 0, { contract: 'token', method: 'mint', args: { to: bob.address, amount: '3' } }),
    )
    expect(minted.body.status).toBe('ok')
  })

  it('stop a contract that loops, and one that allocates without end', async () => {
    const code = `var quorateContract = { default: { calls: {
      loop() { for (;;) {} },
      allocate() { const all = []; for (;;) all.push(new Uint8Array(1 << 20)) },
    }, views: {} } };`
    const name = 'hostile'
    const deployed = await submit(
      network,
      0,
      signed(network, alice, nonce++, {
        contract: 'system',
        method: 'deploy',
        args: { name, code, init: null },
        gasLimit: 100_000_000,
      }),
    )
    expect(deployed.body.status).toBe('ok')
    const again = await submit(
      network,
      0,
      signed(network, alice, nonce++, {
        contract: 'system',
        method: 'deploy',
        args: { name, code, init: null },
        gasLimit: 100_000_000,
      }),
    )
    expect((again.body.error as { code: string }).code).toBe('CONTRACT_EXISTS')
    const looped = await submit(
      network,
      1,
      signed(network, alice, nonce++, { contract: name, method: 'loop', args: {}, gasLimit: 20_000_000 }),
    )
    expect(looped.body).toMatchObject({ status: 'reverted', gasUsed: 20_000_000 })
    expect((looped.body.error as { code: string }).code).toBe('OUT_OF_GAS')
    const allocated = await submit(
      network,
      1,
      signed(network, alice, nonce++, { contract: name, method: 'allocate', args: {}, gasLimit: 100_000_000 }),
    )
    expect((allocated.body.error as { code: string }).code).toBe('OUT_OF_MEMORY')
  })

  it('commit with one backup stopped; it catches up and votes again', async () => {
    await network.stop(3)
    for (let i = 0; i < 40; i++) {
      const { body } = await submit(network, i % 3, signed(network, alice, nonce++, transfer('1')))
      expect(body.status).toBe('ok')
    }
    const { certifiedHeight } = await statusOf(network, 0)
    await network.start(3)
    await agreement(network, certifiedHeight)
    // With another one stopped, nothing certifies without the vote of the one that came back.
    await until(
      'the returned validator being heard',
      () => fetch(network.url(0, '/ready')),
      (response) => response.status === 200,
    )
    await network.stop(2)
    const { body } = await submit(network, 0, signed(network, alice, nonce++, transfer('1')))
    expect(body.status).toBe('ok')
    await network.start(2)
    await agreement(network, body.height as number)
  }, 60_000)

  it('commit nothing with two stopped, say who is missing, and go on when they are back', async () => {
    await network.stop(2)
    await network.stop(3)
    const wire = signed(network, alice, nonce++, transfer('1'))
    expect((await submit(network, 0, wire, '?wait=certified&timeout=1500')).status).toBe(504)
    const ready = await until(
      'unreadiness',
      () => getJson(network.url(0, '/ready')),
      ({ status }) => status === 503,
    )
    expect(ready.body).toMatchObject({ cause: 'NO_QUORUM', missing: ['node-2', 'node-3'] })
    const before = await statusOf(network, 0)
    await Promise.all([network.start(2), network.start(3)])
    const { status, body } = await submit(network, 0, wire)
    expect([status, body.status]).toEqual([200, 'ok'])
    expect(body.height).toBeGreaterThan(before.certifiedHeight)
    await agreement(network, body.height as number)
    expect((await submit(network, 1, wire)).body.height).toBe(body.height)
  }, 60_000)

  it('stop and start on the same folders with the same ledger', async () => {
    const before = await agreement(network, 1)
    await Promise.all([0, 1, 2, 3, 4].map((index) => network.stop(index)))
    await Promise.all([0, 1, 2, 3, 4].map((index) => network.start(index)))
    const after = await agreement(network, before[0]!.certifiedHeight)
    expect(after[0]).toMatchObject({
      blockHash: before[0]!.blockHash,
      stateRoot: before[0]!.stateRoot,
      height: before[0]!.height,
    })
    const { body } = await submit(network, 2, signed(network, alice, nonce++, transfer('1')))
    expect(body).toMatchObject({ status: 'ok', height: before[0]!.height + 1 })
  }, 60_000)

  it('run contracts alike whether their images are on the disk, damaged or gone', async () => {
    const folderOf = (index: number) => join(network.directory, `node-${index}`, 'data', 'images')
    const names = await readdir(folderOf(2))
    expect(names.length).toBeGreaterThan(0)
    await Promise.all([network.stop(0), network.stop(1)])
    for (const name of names) await writeFile(join(folderOf(0), name), 'damaged')
    await rm(folderOf(1), { recursive: true })
    await Promise.all([network.start(0), network.start(1)])
    const { body } = await submit(network, 2, signed(network, alice, nonce++, transfer('1')))
    expect(body).toMatchObject({ status: 'ok' })
    await agreement(network, body.height as number)
    const [token] = await readdir(folderOf(1))
    const expected = await readFile(join(folderOf(2), token!))
    for (const index of [0, 1]) expect(expected.equals(await readFile(join(folderOf(index), token!)))).toBe(true)
  }, 60_000)

  it('follow without a vote when the consensus log is gone or damaged', async () => {
    await network.stop(3)
    const log = join(network.directory, 'node-3', 'data', 'consensus.log')
    await rm(log)
    await network.start(3)
    const { body } = await submit(network, 0, signed(network, alice, nonce++, transfer('1')))
    await agreement(network, body.height as number)
    expect(await readdir(join(network.directory, 'node-3', 'data'))).not.toContain('consensus.log')
    await network.stop(2)
    expect(
      (await submit(network, 0, signed(network, alice, nonce++, transfer('1')), '?wait=certified&timeout=1500')).status,
    ).toBe(504)
    await network.stop(3)
    await writeFile(log, 'not a log at all')
    await network.start(3)
    await network.start(2)
    const next = await submit(network, 0, signed(network, alice, nonce++, transfer('1')))
    await agreement(network, next.body.height as number)
  }, 60_000)
})

it('one validator alone executes and certifies', async () => {
  const network = await createNetwork({ validators: 1 })
  try {
    await network.start(0)
    for (let nonce = 0; nonce < 3; nonce++) {
      const { status, body } = await submit(network, 0, signed(network, alice, nonce, transfer('1')))
      expect([status, body.status, body.height]).toEqual([200, 'ok', nonce + 1])
    }
    await network.stop(0)
    await network.start(0)
    expect(await statusOf(network, 0)).toMatchObject({ height: 3, certifiedHeight: 3 })
    expect((await submit(network, 0, signed(network, alice, 3, transfer('1')))).body.height).toBe(4)
    expect(network.fatal).toEqual([])
  } finally {
    await network.close()
  }
}, 60_000)
