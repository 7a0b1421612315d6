import { describe, expect, it } from 'vitest'
import {
  decodeHello,
  dialable,
  encodeHello,
  type IdentityRecord,
  isRecordSigned,
  readRecord,
  sealRecord,
} from '../../src/network/record.ts'
import { GENESIS, identityOf, verifySignature } from './support.ts'

const PEER = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'
const OTHER = '12D3KooWHFrmLWTTDD4NodngtRMEVYgxrsDMp4F9iSwYntZ9WjHa'
const alice = identityOf('alice')

const record = (change: Partial<IdentityRecord> = {}): IdentityRecord => ({
  network: GENESIS,
  peerId: PEER,
  validator: alice.hex,
  addresses: [`/ip4/10.0.0.1/tcp/4700/p2p/${PEER}`],
  sequence: 7,
  ...change,
})

describe('identity records', () => {
  it('come back as they were sealed, with a signature over every byte', () => {
    const [envelope] = decodeHello(encodeHello([sealRecord(record(), alice.sign)]))
    expect(readRecord(envelope!, GENESIS)).toEqual(record())
    expect(isRecordSigned(envelope!, record(), verifySignature)).toBe(true)
    for (let index = 0; index < envelope!.record.length; index++) {
      const bent = envelope!.record.slice()
      bent[index]! ^= 1
      expect(isRecordSigned({ ...envelope!, record: bent }, record(), verifySignature)).toBe(false)
    }
    expect(isRecordSigned(envelope!, record({ validator: identityOf('bob').hex }), verifySignature)).toBe(false)
  })

  it('are signed exactly when they name a validator', () => {
    expect(readRecord(sealRecord(record({ validator: null }), undefined), GENESIS)).toMatchObject({ validator: null })
    expect(readRecord(sealRecord(record(), undefined), GENESIS)).toContain('signature')
    expect(readRecord(sealRecord(record({ validator: null }), alice.sign), GENESIS)).toContain('signature')
  })

  it('are of one network', () => {
    expect(readRecord(sealRecord(record(), alice.sign), 'cd'.repeat(32))).toContain('another network')
  })

  it('lose the addresses that are not plain TCP to their own peer', () => {
    const addresses = [
      '/ip4/10.0.0.1/tcp/4700',
      `/dns4/node.example/tcp/4700/p2p/${PEER}`,
      `/ip4/10.0.0.1/tcp/4700/p2p/${OTHER}`,
      '/ip4/10.0.0.1/tcp/0',
      '/ip4/10.0.0.1/udp/4700',
      '/ip4/10.0.0.1/tcp/4700/ws',
      'nonsense',
    ]
    const read = readRecord(sealRecord(record({ addresses }), alice.sign), GENESIS) as IdentityRecord
    expect(read.addresses).toEqual([`/ip4/10.0.0.1/tcp/4700/p2p/${PEER}`, `/dns4/node.example/tcp/4700/p2p/${PEER}`])
    expect(dialable(`/ip4/1.2.3.4/tcp/1/p2p/${OTHER}/p2p-circuit/p2p/${PEER}`, PEER)).toBeUndefined()
  })
})
