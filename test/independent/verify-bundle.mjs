// Checks a proof bundle with nothing but docs/proofs.md, a hash and a signature check: no code of this project, no packages.
//   node verify-bundle.mjs FILE GENESIS_HASH      prints what is proven; fails with a reason
import { createHash, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'

const [file, genesisHash] = process.argv.slice(2)
const must = (holds, reason) => {
  if (!holds) throw new Error(reason)
}
const hash = (...parts) => parts.reduce((sum, part) => sum.update(part), createHash('sha256')).digest()
const hex = (text) => must(/^([0-9a-f]{2})*$/.test(text), 'not lower-case hexadecimal') ?? Buffer.from(text, 'hex')
const base64 = (text) => must(btoa(atob(text)) === text, 'not base64') ?? Buffer.from(text, 'base64')

// Canonical CBOR of unsigned integers, bytes, text and arrays; fields get their names when they are read.
const encode = (value) => {
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(encode)])
  if (typeof value === 'number') return head(0, value)
  return Buffer.concat([head(typeof value === 'string' ? 3 : 2, Buffer.byteLength(value)), Buffer.from(value)])
}
const head = (major, n) => {
  const size = n < 24 ? 0 : n < 2 ** 8 ? 1 : n < 2 ** 16 ? 2 : n < 2 ** 32 ? 4 : 8
  const rest = size === 0 ? '' : n.toString(16).padStart(2 * size, '0')
  return Buffer.concat([Buffer.of((major << 5) | (size === 0 ? n : 24 + Math.log2(size))), hex(rest)])
}
const decode = (bytes, names) => {
  const left = [...bytes]
  const take = (count) => Buffer.from(left.splice(0, count))
  const item = () => {
    const [first] = take(1)
    const info = first & 31
    const n = info < 24 ? info : Number(`0x${take(1 << (info - 24)).toString('hex')}`)
    if (first >> 5 === 0) return n
    if (first >> 5 === 4) return Array.from({ length: n }, item)
    return first >> 5 === 2 ? take(n) : take(n).toString()
  }
  const values = item()
  must(encode(values).equals(bytes), 'bytes are not canonical')
  return Object.fromEntries(names.split(' ').map((name, index) => [name, values[index]]))
}
const HEADER = 'genesisHash epoch height parentHash batchDigest txRoot receiptsRoot stateRoot time proposer'
const headerNames = `${HEADER} validatorsHash nextValidatorsHash epochEnd proposers`.split(' ')
const CALL = 'tag network sender nonce expires gasLimit contract method args'
const RECEIPT = 'tag txId sender nonce status code message gasUsed result events'

// Headers, their certificates, and the epochs whose validators sign them.
const headerHash = (header) => {
  const fields = { ...header, time: Date.parse(header.time) }
  must(new Date(fields.time).toISOString() === header.time, 'time is not RFC 3339')
  const values = headerNames.map((name) => (typeof fields[name] === 'number' ? fields[name] : hex(fields[name])))
  return hash(encode(['quorate/header/1', ...values]))
}
const certified = (header, { height, blockHash, signatures }, { epoch, keys, quorum, hash: set }) => {
  const own = headerHash(header)
  must(header.genesisHash === genesisHash && header.validatorsHash === set, 'a header of other validators')
  must(header.epoch === epoch && height === header.height, 'a header or certificate of another place')
  must(blockHash === own.toString('hex'), 'a certificate for another header')
  const signed = encode(['quorate/exec/1', hex(genesisHash), header.epoch, hex(header.validatorsHash), height, own])
  const jwk = (key) => ({ key: { kty: 'OKP', crv: 'Ed25519', x: key.toString('base64url') }, format: 'jwk' })
  const holds = ({ signer, signature }) => signer in keys && verify(null, signed, jwk(keys[signer]), hex(signature))
  must(signatures.every(holds), 'a signature does not verify')
  const signers = new Set(signatures.map(({ signer }) => keys[signer])).size
  return must(signers === signatures.length && signers >= quorum, 'no quorum signed') ?? header
}
const trustIn = (record) => {
  const { tag, epoch, start, validators } = decode(record, 'tag epoch start validators')
  const [n, keys] = [validators.length, validators.map(([, key]) => key)]
  must(tag === 'quorate/epoch/1' && n > 0, 'not an epoch record')
  return { epoch, start, keys, hash: hash(record).toString('hex'), quorum: ((n + Math.floor((n - 1) / 3)) >> 1) + 1 }
}
const follow = (trust, { header, certificate, record }) => {
  const { height, epochEnd, nextValidatorsHash } = certified(header, certificate, trust)
  const next = trustIn(base64(record))
  must(height === epochEnd && nextValidatorsHash === next.hash, 'not the end of its epoch, or another next one')
  return must(next.epoch === trust.epoch + 1 && next.start === height, 'not the next epoch') ?? next
}

// Merkle trees of RFC 6962: a root, and the root that a leaf's path leads to. The state tree hashes its nodes alike.
const leafHash = (...leaf) => hash(Buffer.of(0), ...leaf)
const pair = (left, right) => hash(Buffer.of(1), left, right)
const rootOf = (leaves) => {
  if (leaves.length < 2) return leaves.length === 0 ? hash() : leafHash(leaves[0])
  const half = 2 ** Math.floor(Math.log2(leaves.length - 1))
  return pair(rootOf(leaves.slice(0, half)), rootOf(leaves.slice(half)))
}
const inBlock = (leaf, { index, count }, path, root) => {
  let node = leafHash(leaf)
  const siblings = path.map(hex)
  for (let at = index, last = count - 1; last > 0; at >>= 1, last >>= 1) {
    if (at % 2 === 1) node = pair(siblings.shift(), node)
    else if (at < last) node = pair(node, siblings.shift())
  }
  must(index >= 0 && index < count && siblings.length === 0 && node.equals(hex(root)), 'not in the block')
}
const bit = (path, depth) => (path[depth >> 3] >> (7 - (depth & 7))) & 1

// What documents show beside their proofs is compared with what was proven. An address is its key, five bits a letter, and a checksum.
const json = (bytes) => JSON.parse(bytes.toString())
const inOrder = ([a], [b]) => (a < b ? -1 : 1)
const sorted = (_, it) => (it?.constructor === Object ? Object.fromEntries(Object.entries(it).sort(inOrder)) : it)
const textOf = (value) => JSON.stringify(value, sorted)
const same = (shown, proven) => must(textOf(shown) === textOf(proven), 'it shows what it does not prove') ?? proven
const fives = (text) => [...text].map((letter) => BigInt('qpzry9x8gf2tvdw0s3jn54khce6mua7l'.indexOf(letter)))
const keyOf = (address) => fives(address.slice(3, 55)).reduce((sum, five) => sum * 32n + five, 0n) >> 4n
const eventsOf = ({ events }) => events.map(([contract, name, data]) => ({ contract, name, data: json(data) }))
const kinds = {
  transaction({ proof, ...shown }, trust) {
    const { height, receiptsRoot, txRoot } = certified(proof.header, proof.certificate, trust)
    const [bytes, { unsigned }] = [base64(proof.receipt), decode(base64(proof.transaction), 'unsigned signature')]
    const { txId, status, code, message, gasUsed, result, ...receipt } = decode(bytes, RECEIPT)
    const { tag, network, args, ...call } = decode(unsigned, CALL)
    inBlock(bytes, proof, proof.receiptPath, receiptsRoot)
    inBlock(txId, proof, proof.transactionPath, txRoot)
    must(hash(unsigned).equals(txId) && tag === 'quorate/tx/1', 'the transaction is another one')
    must(keyOf(shown.sender).toString(16).padStart(64, '0') === call.sender.toString('hex'), 'another sender')
    const outcome = { status, gasUsed, error: status === 'ok' ? null : { code, message }, events: eventsOf(receipt) }
    const place = { id: txId.toString('hex'), height, index: proof.index, sender: shown.sender, args: json(args) }
    return same(shown, { ...call, ...place, ...outcome, result: result.length === 0 ? null : json(result) })
  },
  state({ proof: { header, certificate, key, value, siblings, other }, ...shown }, trust) {
    const { height, stateRoot } = certified(header, certificate, trust)
    const [path, end, isAbsent] = [hash(key), key.indexOf('\0'), value === null]
    const leaf = other === undefined ? [path, hash(value ?? '')] : [hex(other.path), hex(other.valueHash)]
    const isBeside = siblings.every((_, depth) => bit(leaf[0], depth) === bit(path, depth)) && !leaf[0].equals(path)
    must(other === undefined || (isAbsent && isBeside), 'the other leaf is of elsewhere, or its own')
    const start = isAbsent && other === undefined ? Buffer.alloc(32) : leafHash(...leaf)
    const side = (up) => bit(path, siblings.length - 1 - up)
    const turn = (node, sibling, up) => (side(up) ? pair(hex(sibling), node) : pair(node, hex(sibling)))
    must(siblings.reduce(turn, start).equals(hex(stateRoot)), 'the path does not lead to the state root')
    same(shown, { key: key.slice(end + 1), value: isAbsent ? null : JSON.parse(value), height })
    return { ...shown, contract: key.slice(0, end), present: !isAbsent }
  },
  events({ blocks, certificate, ...shown }, trust) {
    const { height: to } = certified(blocks.at(-1).header, certificate, trust)
    const proven = { from: to - blocks.length + 1, to, next: to + 1 }
    for (const [index, { header, receipts }] of blocks.entries()) {
      const next = blocks[index + 1]?.header
      must(!next || headerHash(header).equals(hex(next.parentHash)), 'a block does not follow on the one before it')
      must(header.height === proven.from + index, 'a height does not follow')
      must(rootOf(receipts.map(base64)).equals(hex(header.receiptsRoot)), 'a receipt is missing, or too many')
    }
    const all = blocks.flatMap(({ receipts }) => receipts.map((bytes) => decode(base64(bytes), RECEIPT)))
    return { ...same(shown, proven), events: all.flatMap(eventsOf) }
  },
}
const { format, kind, genesis, epochs, document, ...rest } = JSON.parse(readFileSync(file, 'utf8'))
must(format === 'quorate/proof/1' && rest.genesisHash === genesisHash, 'not a proof bundle of this network')
must(hash(base64(genesis)).toString('hex') === genesisHash, 'genesis has another hash')
const { validators, parameters } = decode(base64(genesis), 'tag chainId version engineHash time validators parameters')
const first = trustIn(encode(['quorate/epoch/1', 0, 0, validators, parameters, Buffer.alloc(0)]))
console.log(JSON.stringify({ kind, ...kinds[kind](document, epochs.reduce(follow, first)) }))
