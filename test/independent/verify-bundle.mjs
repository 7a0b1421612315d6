// Checks a proof bundle with nothing but docs/proofs.md, a hash and a signature check: no code of this project, no packages.
//   node verify-bundle.mjs FILE GENESIS_HASH      prints what is proven, whatever else the file says; fails with a reason
import { createHash, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'

process.on('uncaughtException', ({ message }) => process.exit(console.error(`refused: ${message}`) ?? 1))
const [file, genesisHash] = process.argv.slice(2)
const must = (holds, reason) => {
  if (!holds) throw new Error(reason)
}
const hash = (...parts) => parts.reduce((sum, part) => sum.update(part), createHash('sha256')).digest()
const hex = (text) => must(/^([0-9a-f]{2})*$/.test(text), 'not lower-case hexadecimal') ?? Buffer.from(text, 'hex')
const hash32 = (text) => must(text.length === 64, 'not 32 bytes') ?? hex(text)
const base64 = (text) => must(btoa(atob(text)) === text, 'not base64') ?? Buffer.from(text, 'base64')

// Canonical CBOR of unsigned integers, bytes, text and arrays; fields get their names when they are read.
const encode = (value) => {
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(encode)])
  if (typeof value === 'number') return head(0, value)
  return Buffer.concat([head(typeof value === 'string' ? 3 : 2, Buffer.byteLength(value)), Buffer.from(value)])
}
const head = (major, n) => {
  must(Number.isSafeInteger(n) && n >= 0, 'no whole number')
  const size = n < 24 ? 0 : n < 2 ** 8 ? 1 : n < 2 ** 16 ? 2 : n < 2 ** 32 ? 4 : 8
  const rest = size === 0 ? '' : n.toString(16).padStart(2 * size, '0')
  return Buffer.concat([Buffer.of((major << 5) | (size === 0 ? n : 24 + Math.log2(size))), hex(rest)])
}
const decode = (bytes, names) => {
  let at = 0
  const take = (count) => {
    at += count
    return must(at <= bytes.length, 'bytes are not canonical') ?? bytes.subarray(at - count, at)
  }
  const item = (depth) => {
    const [first] = take(1)
    const info = first & 31
    const n = info < 24 ? info : Number(`0x${take(1 << (info - 24)).toString('hex')}`)
    if (first >> 5 === 0) return n
    must(n <= bytes.length && depth < 9, 'bytes are not canonical')
    if (first >> 5 === 4) return Array.from({ length: n }, () => item(depth + 1))
    return first >> 5 === 2 ? take(n) : take(n).toString()
  }
  const [values, fields] = [item(0), names.split(' ')]
  must(encode(values).equals(bytes) && values.length === fields.length, 'bytes are not canonical')
  return Object.fromEntries(fields.map((name, index) => [name, values[index]]))
}
const GENESIS = 'tag chainId version engineHash time validators parameters roles contracts'
const HASHES = 'parentHash batchDigest txRoot receiptsRoot stateRoot'
const HEADER = `genesisHash epoch height ${HASHES} time proposer validatorsHash nextValidatorsHash epochEnd proposers`
const RECEIPT = 'tag txId sender nonce status code message gasUsed result events'
// Headers, their certificates, and the epochs whose validators sign them.
const headerHash = (header) => {
  const fields = { ...header, time: Date.parse(header.time) }
  must(new Date(fields.time).toISOString() === header.time, 'time is not RFC 3339')
  const values = HEADER.split(' ').map((name) => (typeof fields[name] === 'number' ? fields[name] : hex(fields[name])))
  return hash(encode(['quorate/header/1', ...values]))
}
const jwk = (key) => ({ key: { kty: 'OKP', crv: 'Ed25519', x: key.toString('base64url') }, format: 'jwk' })
const signedBy = (key, message, signature) => verify(null, message, jwk(key), signature)
const certified = (header, { height, blockHash, signatures }, { start, keys, quorum, hash: set }) => {
  const own = headerHash(header)
  must(header.genesisHash === genesisHash && header.validatorsHash === set, 'a header of other validators')
  must(height === header.height && blockHash === own.toString('hex'), 'a certificate for another header')
  must(height > start && height <= (header.epochEnd || height), 'a header from outside its epoch')
  const signed = encode(['quorate/exec/1', hex(genesisHash), header.epoch, hex(header.validatorsHash), height, own])
  const holds = ({ signer, signature }) => signer in keys && signedBy(keys[signer], signed, hex(signature))
  must(signatures.every(holds), 'a signature does not verify')
  const signers = new Set(signatures.map(({ signer }) => keys[signer].toString('hex'))).size
  return must(signers === signatures.length && signers >= quorum, 'no quorum signed') ?? header
}
const trustIn = (record) => {
  const { start, validators } = decode(record, 'tag epoch start validators parameters proposers')
  const [n, keys] = [validators.length, validators.map(([, key]) => key)]
  return { start, keys, hash: hash(record).toString('hex'), quorum: ((n + Math.floor((n - 1) / 3)) >> 1) + 1 }
}
const follow = (trust, { header, certificate, record }) => {
  const { height, epochEnd, nextValidatorsHash } = certified(header, certificate, trust)
  const next = trustIn(base64(record))
  return must(height === epochEnd && nextValidatorsHash === next.hash, 'not the next epoch') ?? next
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
  must(Number.isInteger(index) && Number.isInteger(count) && count <= 10_000, 'no place in a block')
  const siblings = path.map((sibling) => hash32(sibling))
  let node = leafHash(leaf)
  for (let at = index, last = count - 1; last > 0; at >>= 1, last >>= 1) {
    if (at % 2 === 1) node = pair(siblings.shift(), node)
    else if (at < last) node = pair(node, siblings.shift())
  }
  must(index >= 0 && index < count && siblings.length === 0 && node.equals(hex(root)), 'not in the block')
}
const bit = (path, depth) => (path[depth >> 3] >> (7 - (depth & 7))) & 1
const eventsOf = ({ events }) => events.map(([contract, name, data]) => ({ contract, name, data: data.toString() }))
const kinds = {
  transaction({ proof }, trust) {
    const { height, receiptsRoot, txRoot } = certified(proof.header, proof.certificate, trust)
    const [receiptBytes, wire] = [proof.receipt, proof.transaction].map(base64)
    const { unsigned, signature } = decode(wire, 'unsigned signature')
    inBlock(receiptBytes, proof, proof.receiptPath, receiptsRoot)
    inBlock(hash(unsigned), proof, proof.transactionPath, txRoot)
    const call = decode(unsigned, 'tag network sender nonce expires gasLimit contract method args')
    const receipt = decode(receiptBytes, RECEIPT)
    must(hash(unsigned).equals(receipt.txId) && call.tag === 'quorate/tx/1', 'the transaction is another one')
    must(signedBy(call.sender, unsigned, signature), 'the sender did not sign')
    const [network, txId, sender] = [call.network, receipt.txId, call.sender].map((bytes) => bytes.toString('hex'))
    const texts = { network, txId, sender, args: call.args.toString(), result: receipt.result.toString() }
    return { ...call, ...receipt, ...texts, height, index: proof.index, events: eventsOf(receipt) }
  },
  state({ proof: { header, certificate, next, key, value, siblings, other } }, trust) {
    // Nobody signs block 0: the block after it names it as its parent.
    const block = header.height > 0 ? { header, certificate } : next
    const { height, parentHash } = certified(block.header, block.certificate, trust)
    must(block !== next || (height === 1 && headerHash(header).equals(hex(parentHash))), 'not its parent')
    must(key.isWellFormed() && key.includes('\0') && (value ?? '').isWellFormed(), 'no key or no value')
    const [path, end, isAbsent] = [hash(key), key.indexOf('\0'), value === null]
    const leaf = other === undefined ? [path, hash(value ?? '')] : [hash32(other.path), hash32(other.valueHash)]
    const isBeside = siblings.every((_, depth) => bit(leaf[0], depth) === bit(path, depth)) && !leaf[0].equals(path)
    must(other === undefined || (isAbsent && isBeside), 'the other leaf is of elsewhere, or its own')
    const start = isAbsent && other === undefined ? Buffer.alloc(32) : leafHash(...leaf)
    const sides = (node, at, up) => (bit(path, siblings.length - 1 - up) ? [hash32(at), node] : [node, hash32(at)])
    const turn = (...step) => pair(...sides(...step))
    must(siblings.reduce(turn, start).equals(hex(header.stateRoot)), 'it does not lead to the state root')
    return { contract: key.slice(0, end), key: key.slice(end + 1), present: !isAbsent, value, height: header.height }
  },
  events({ blocks, certificate }, trust) {
    const { height: to } = certified(blocks.at(-1).header, certificate, trust)
    for (const [index, { header, receipts }] of blocks.entries()) {
      const next = blocks[index + 1]?.header
      must(!next || headerHash(header).equals(hex(next.parentHash)), 'a block does not follow on the one before it')
      must(rootOf(receipts.map(base64)).equals(hex(header.receiptsRoot)), 'a receipt is missing, or too many')
    }
    const all = blocks.flatMap(({ receipts }) => receipts.map((bytes) => decode(base64(bytes), RECEIPT)))
    return { from: to - blocks.length + 1, to, events: all.flatMap(eventsOf) }
  },
}
const { format, kind, genesis, epochs, document, ...bundle } = JSON.parse(readFileSync(file, 'utf8'))
must(format === 'quorate/proof/1' && bundle.genesisHash === genesisHash, 'not a proof bundle of this network')
must(hash(base64(genesis)).toString('hex') === genesisHash, 'genesis has another hash')
must(Object.keys(kinds).includes(kind), 'not a kind of bundle')
const { validators, parameters } = decode(base64(genesis), GENESIS)
const first = trustIn(encode(['quorate/epoch/1', 0, 0, validators, parameters, Buffer.alloc(0)]))
console.log(JSON.stringify({ kind, ...kinds[kind](document, epochs.reduce(follow, first)) }))
