import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { PeerInfo } from '../../src/network/transport.ts'
import {
  GENESIS,
  identityOf,
  isConnected,
  sleep,
  startNetwork,
  startNode,
  stopAll,
  stopNode,
  until,
} from './support.ts'

const VALIDATORS = ['a', 'b', 'c', 'd']

afterEach(stopAll)

describe('finding one another', () => {
  it('connects four validators that know one, each pair once to the eyes of the node', async () => {
    const connected: string[] = []
    const first = await startNode({ name: 'a', validators: VALIDATORS })
    first.onConnect = (peer: PeerInfo) => connected.push(peer.validator!)
    const others = await Promise.all(
      VALIDATORS.slice(1).map((name) => startNode({ name, validators: VALIDATORS, bootstrap: first.addresses() })),
    )
    const nodes = [first, ...others]
    await until('all are connected', () => nodes.every((node) => node.connectedValidators().size === 3))
    expect(connected.sort()).toEqual(['b', 'c', 'd'].map((name) => identityOf(name).hex).sort())
    for (const [index, node] of nodes.entries()) {
      const expected = nodes.filter((other) => other !== node).map((other) => other.id)
      expect([...node.connectedValidators().values()].sort()).toEqual(expected.sort())
      for (const other of nodes) {
        if (other === node) continue
        expect(other.connectedValidators().get(identityOf(VALIDATORS[index]!).hex)).toBe(node.id)
      }
    }
    expect(first.peers()[0]!.addresses[0]).toMatch(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\//)
  })

  it('does not take a stranger for a validator, and lets it find all validators', async () => {
    const nodes = await startNetwork(['a', 'b', 'c'])
    const stranger = await startNode({
      name: 'observer',
      validators: ['a', 'b', 'c'],
      identity: identityOf('nobody'),
      bootstrap: nodes[1]!.addresses(),
    })
    await until('the stranger reaches every validator', () => stranger.connectedValidators().size === 3)
    for (const node of nodes) {
      await until('the validator sees the stranger', () => isConnected(node, stranger))
      expect([...node.connectedValidators().values()]).not.toContain(stranger.id)
      expect(node.sendToValidator(identityOf('a').hex, 'consensus', new Uint8Array(1))).toBe(node !== nodes[0])
    }
  })

  it('finds peers with mDNS, and only those of its own network', async () => {
    const closed: unknown[] = []
    const debug = (detail: object) => closed.push((detail as { peer?: string }).peer)
    const logger = { debug, info: () => {}, warn: () => {} }
    const node = await startNode({ name: 'a', validators: ['a', 'b'], mdns: true, logger })
    const other = await startNode({ name: 'x', genesisHash: 'cd'.repeat(32), mdns: true })
    const same = await startNode({ name: 'b', validators: ['a', 'b'], mdns: true })
    await until('mDNS brings them together', () => isConnected(node, same) && isConnected(same, node), 12_000)
    await sleep(500)
    expect(closed).not.toContain(other.id)
  })

  it('never talks to another network', async () => {
    const node = await startNode({ name: 'a', validators: ['a'] })
    const heard: string[] = []
    node.onConnect = (peer) => heard.push(peer.id)
    const other = await startNode({
      name: 'b',
      validators: ['b'],
      genesisHash: 'cd'.repeat(32),
      bootstrap: node.addresses(),
    })
    other.onConnect = (peer) => heard.push(peer.id)
    await sleep(1500)
    expect(heard).toEqual([])
    expect(node.peers()).toEqual([])
    expect(other.send(node.id, 'consensus', new Uint8Array(1))).toBe(false)
  })
})

describe('staying connected', () => {
  it('takes simultaneous dials for one peer, and keeps every way to talk', async () => {
    const validators = ['a', 'b']
    const names = await Promise.all(validators.map((name) => startNode({ name, validators })))
    const [listenA, listenB] = names.map((node) => node.addresses()) as [string[], string[]]
    await stopAll()
    const bare = (addresses: string[]) => addresses.map((address) => address.replace(/\/p2p\/.*/, ''))
    for (let round = 0; round < 3; round++) {
      const [first, second] = await Promise.all([
        startNode({ name: 'a', validators, listen: bare(listenA), bootstrap: bare(listenB) }),
        startNode({ name: 'b', validators, listen: bare(listenB), bootstrap: bare(listenA) }),
      ])
      await until('connected', () => isConnected(first, second) && isConnected(second, first))
      const heard: string[] = []
      let connects = 0
      for (const node of [first, second]) {
        node.onConnect = () => connects++
        node.onFrame = (peer) => heard.push(peer.id)
        node.onGossip = (peerId) => {
          heard.push(`gossip ${peerId}`)
          return 'accept'
        }
      }
      first.send(second.id, 'consensus', Uint8Array.of(1))
      second.send(first.id, 'consensus', Uint8Array.of(1))
      await sleep(300)
      await first.publish('transactions', Uint8Array.of(round, 1))
      await second.publish('transactions', Uint8Array.of(round, 2))
      const expected = [first.id, second.id, `gossip ${first.id}`, `gossip ${second.id}`].sort()
      await until('all is heard', () => heard.length >= 4)
      expect(heard.sort()).toEqual(expected)
      expect(connects).toBe(0)
      await stopAll()
    }
  })

  it('reaches a peer again each time it restarts, knowing but its address', async () => {
    const first = await startNode({ name: 'a', validators: ['a', 'b'] })
    const address = first.addresses()[0]!.replace(/\/p2p\/.*/, '')
    const second = await startNode({ name: 'b', validators: ['a', 'b'], bootstrap: [address] })
    await until('connected', () => isConnected(first, second) && isConnected(second, first))
    const events: string[] = []
    second.onConnect = () => events.push('connect')
    second.onDisconnect = () => events.push('disconnect')
    let current = first
    for (let round = 0; round < 2; round++) {
      await stopNode(current)
      await until('the loss is noticed', () => !isConnected(second, first))
      current = await startNode({ name: 'a', validators: ['a', 'b'], listen: [address] })
      await until('connected again', () => isConnected(current, second) && isConnected(second, current), 5000)
    }
    expect(current.id).toBe(first.id)
    expect(events).toEqual(['disconnect', 'connect', 'disconnect', 'connect'])
  })

  it('comes back through its address book alone, also when a part of the file is damaged', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'quorate-network-'))
    const addressBookFile = join(folder, 'addresses.json')
    try {
      const [first] = await startNetwork(['a', 'b'])
      const validators = ['a', 'b', 'c']
      const node = await startNode({ name: 'c', validators, bootstrap: first!.addresses(), addressBookFile })
      await until('connected', () => node.connectedValidators().size === 2)
      await stopNode(node)
      const content = JSON.parse(await readFile(addressBookFile, 'utf8'))
      expect(content.validators).toHaveLength(2)
      await writeFile(
        addressBookFile,
        JSON.stringify({ ...content, validators: ['AAAA', 7, ...content.validators], others: { no: 1 } }),
      )
      const again = await startNode({ name: 'c', validators, addressBookFile })
      await until('connected again', () => again.connectedValidators().size === 2, 5000)
      await stopNode(again)

      await writeFile(addressBookFile, '{"validators": [')
      const warnings: string[] = []
      const logger = { debug: () => {}, info: () => {}, warn: (_: object, message: string) => warnings.push(message) }
      await startNode({ name: 'c', validators, addressBookFile, logger })
      expect(warnings[0]).toContain('address book cannot be read')
    } finally {
      await stopAll()
      await rm(folder, { recursive: true })
    }
  })

  it('refuses a dropped peer for the time of its ban, then takes it back', async () => {
    const [first, second] = await startNetwork(['a', 'b'])
    first!.drop(second!.id, 'a test', 1500)
    const droppedAt = Date.now()
    expect(isConnected(first!, second!)).toBe(false)
    await until('the peer is back', () => isConnected(first!, second!) && isConnected(second!, first!))
    expect(Date.now() - droppedAt).toBeGreaterThanOrEqual(1500)
  })

  it('follows a validator key to the newer of two peers that prove it', async () => {
    const first = await startNode({ name: 'a', validators: ['a', 'b'] })
    const old = await startNode({
      name: 'old',
      validators: ['a', 'b'],
      identity: identityOf('b'),
      bootstrap: first.addresses(),
    })
    await until('the old one is connected', () => isConnected(first, old))
    const fresh = await startNode({
      name: 'new',
      validators: ['a', 'b'],
      identity: identityOf('b'),
      bootstrap: first.addresses(),
    })
    await until('the new one takes over', () => first.connectedValidators().get(identityOf('b').hex) === fresh.id)
    const lost: string[] = []
    first.onDisconnect = (peer) => lost.push(peer.id)
    // The old one dials again and again meanwhile.
    await sleep(2500)
    expect(first.connectedValidators().get(identityOf('b').hex)).toBe(fresh.id)
    expect(isConnected(first, old)).toBe(false)
    expect(lost).toEqual([])
  })

  it.each([{ strangers: 2 }, { peers: 2 }])(
    'keeps room for validators when strangers take all of theirs: %o',
    async (limits) => {
      const validators = ['a', 'b']
      const first = await startNode({ name: 'a', validators, limits })
      const strangers = await Promise.all(
        ['s1', 's2', 's3', 's4'].map((name) => startNode({ name, validators, bootstrap: first.addresses() })),
      )
      await until('the strangers fill their room', () => first.peers().length === 2)
      const second = await startNode({ name: 'b', validators, bootstrap: first.addresses() })
      await until('the validator is let in', () => isConnected(first, second))
      expect(strangers.filter((node) => isConnected(first, node))).toHaveLength(2)
    },
  )
})

it('stops within a second or so and leaves nothing that keeps the process alive', async () => {
  const script = `
    const { startNetwork, stopAll } = await import(${JSON.stringify(new URL('./support.ts', import.meta.url).href)})
    await startNetwork(['a', 'b', 'c'])
    const startedAt = Date.now()
    await stopAll()
    process.send(Date.now() - startedAt)
    process.disconnect()`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  let stopMs = Number.POSITIVE_INFINITY
  let stoppedAt = 0
  child.on('message', (message) => {
    stopMs = Number(message)
    stoppedAt = Date.now()
  })
  const code = await new Promise((resolve) => child.on('exit', resolve))
  expect(code).toBe(0)
  expect(stopMs).toBeLessThan(1500)
  expect(Date.now() - stoppedAt).toBeLessThan(2000)
})

it('says what is wrong with its options', async () => {
  await expect(startNode({ name: 'a', genesisHash: 'AB' })).rejects.toThrow('genesisHash')
  await expect(startNode({ name: 'a', bootstrap: ['localhost:4700'] })).rejects.toThrow(
    '"localhost:4700" is no multiaddr',
  )
  expect(GENESIS).toHaveLength(64)
})
