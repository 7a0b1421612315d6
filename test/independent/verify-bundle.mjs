// Checks a proof bundle with nothing but docs/proofs.md, a hash and a signature check: no code of this project, no packages.
//   node verify-bundle.mjs FILE GENESIS_HASH      prints what is proven; fails with a reason
import { createHash, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'

const [file, genesisHash] = process.argv.slice(2)
const must = (holds, reason) => {
  if (!holds) throw new Error(reason)
}
const only = (value, names) =>
  must(
    Object.keys(value).every((name) => names.split(' ').includes(name)),
    'it has more than is proven',
  ) ?? value
const hash = (...parts) => parts.reduce((sum, part) => sum.update(part), createHash('sha256')).digest()
const isHex = (text) => typeof text === 'string' && text.length % 2 === 0 && !/[^0-9a-f]/.test(text)
const hex = (text) => must(isHex(text), 'not lower-case hexadecimal') ?? Buffer.from(text, 'hex')
const hash32 = (text) => must(text.length === 64, 'not 32 bytes') ?? hex(text)
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
  let at = 0
  const take = (count) => {
    must(at + count <= bytes.length, 'bytes are not canonical')
    at += count
    return bytes.subarray(at - count, at)
  }
  const item = (depth) => {
    const [first] = take(1)
    const info = first & 31
    const n = info < 24 ? info : Number(`0x${take(1 << (info - 24)).toString('hex')}`)
    if (first >> 5 === 0) return must(n < 2 ** 53, 'a number is too large') ?? n
    must(n <= bytes.length && depth < 9, 'bytes are not canonical')
    if (first >> 5 === 4) return Array.from({ length: n }, () => item(depth + 1))
    return first >> 5 === 2 ? take(n) : take(n).toString()
  }
  const [values, fields] = [item(0), names.split(' ')]
  must(encode(values).equals(bytes) && values.length === fields.length, 'bytes are not canonical')
  return Object.fromEntries(fields.map((name, index) => [name, values[index]]))
}
const GENESIS = 'tag chainId version engineHash time validators parameters roles contracts'
const EPOCH = 'tag epoch start validators parameters proposers'
const HASHES = 'parentHash batchDigest txRoot receiptsRoot stateRoot'
const HEADER = `genesisHash epoch height ${HASHES} time proposer validatorsHash nextValidatorsHash epochEnd proposers`
const CALL = 'tag network sender nonce expires gasLimit contract method args'
const RECEIPT = 'tag txId sender nonce status code message gasUsed result events'

// Headers, their certificates, and the epochs whose validators sign them.
const headerHash = (header) => {
  const fields = { ...only(header, HEADER), time: Date.parse(header.time) }
  must(new Date(fields.time).toISOString() === header.time, 'time is not RFC 3339')
  const values = HEADER.split(' ').map((name) => (typeof fields[name] === 'number' ? fields[name] : hex(fields[name])))
  return hash(encode(['quorate/header/1', ...values]))
}
const signedBy = (key, message, signature) => {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: key.toString('base64url') }
  return verify(null, message, { key: jwk, format: 'jwk' }, signature)
}
const certified = (header, certificate, { epoch, start, keys, quorum, hash: set }) => {
  const { height, blockHash, signatures } = only(certificate, 'height blockHash signatures')
  const own = headerHash(header)
  must(header.genesisHash === genesisHash && header.validatorsHash === set, 'a header of other validators')
  must(header.epoch === epoch && height === header.height, 'a header or certificate of another place')
  must(height > start && height <= (header.epochEnd || height), 'a header from outside its epoch')
  must(blockHash === own.toString('hex'), 'a certificate for another header')
  const signed = encode(['quorate/exec/1', hex(genesisHash), header.epoch, hex(header.validatorsHash), height, own])
  for (const { signer, signature } of signatures.map((one) => only(one, 'signer signature'))) {
    must(Number.isInteger(signer) && signer in keys, 'a signer is not one of the validators')
    must(signedBy(keys[signer], signed, hex(signature)), 'a signature does not verify')
  }
  const signers = new Set(signatures.map(({ signer }) => keys[signer].toString('hex'))).size
  return must(signers === signatures.length && signers >= quorum, 'no quorum signed') ?? header
}
const trustIn = (record) => {
  const { tag, epoch, start, validators } = decode(record, EPOCH)
  const [n, keys] = [validators.length, validators.map(([, key]) => key)]
  must(tag === 'quorate/epoch/1' && n > 0, 'not an epoch record')
  return { epoch, start, keys, hash: hash(record).toString('hex'), quorum: ((n + Math.floor((n - 1) / 3)) >> 1) + 1 }
}
const follow = (trust, link) => {
  const { header, certificate, record } = only(link, 'header certificate record')
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
  must(Number.isInteger(index) && Number.isInteger(count) && count <= 10_000, 'no place in a block')
  let node = leafHash(leaf)
  const siblings = path.map((sibling) => hash32(sibling))
  for (let at = index, last = count - 1; last > 0; at >>= 1, last >>= 1) {
    if (at % 2 === 1) node = pair(siblings.shift(), node)
    else if (at < last) node = pair(node, siblings.shift())
  }
  must(index >= 0 && index < count && siblings.length === 0 && node.equals(hex(root)), 'not in the block')
}
const bit = (path, depth) => (path[depth >> 3] >> (7 - (depth & 7))) & 1

// An account is its key, five bits a letter, and a checksum (BIP-350).
const polymod = (sum, five) => {
  const factors = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3]
  return factors.reduce(
    (next, factor, at) => next ^ ((sum >> (25 + at)) & 1 && factor),
    ((sum & 0x1ffffff) << 5) ^ five,
  )
}
const addressOf = (key) => {
  const bits = BigInt(`0x${key.toString('hex')}`) << 4n
  const fives = Array.from({ length: 52 }, (_, at) => Number((bits >> BigInt(5 * (51 - at))) & 31n))
  const sum = [3, 3, 0, 17, 18, ...fives, 0, 0, 0, 0, 0, 0].reduce(polymod, 1) ^ 0x2bc830a3
  const letters = [...fives, ...[25, 20, 15, 10, 5, 0].map((at) => (sum >> at) & 31)]
  return `qr1${letters.map((five) => 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'[five]).join('')}`
}

// What documents show beside their proofs is compared with what was proven: of JSON text its value, of any other the text.
const json = (bytes) => {
  const text = bytes.toString()
  let [depth, deepest, isText] = [0, 0, false]
  for (let at = 0; at < text.length; at++) {
    if (isText && text[at] === '\\') at++
    else if (text[at] === '"') isText = !isText
    else if (!isText && '[{'.includes(text[at])) deepest = Math.max(deepest, ++depth)
    else if (!isText && ']}'.includes(text[at])) depth--
  }
  try {
    return deepest > 128 ? text : JSON.parse(text)
  } catch {
    return text
  }
}
const inOrder = ([a], [b]) => (a < b ? -1 : 1)
const isObject = (it) => typeof it === 'object' && it !== null && !Array.isArray(it)
const sorted = (_, it) => (isObject(it) ? Object.fromEntries(Object.entries(it).sort(inOrder)) : it)
const textOf = (value) => JSON.stringify(value, sorted)
const same = (shown, proven) => must(textOf(shown) === textOf(proven), 'it shows what it does not prove') ?? proven
const eventsOf = ({ events }) => events.map(([contract, name, data]) => ({ contract, name, data: json(data) }))
const kinds = {
  transaction({ proof, ...shown }, trust) {
    only(proof, 'header certificate receipt receiptPath transaction transactionPath index count')
    const { height, receiptsRoot, txRoot } = certified(proof.header, proof.certificate, trust)
    const wire = decode(base64(proof.transaction), 'unsigned signature')
    inBlock(base64(proof.receipt), proof, proof.receiptPath, receiptsRoot)
    inBlock(hash(wire.unsigned), proof, proof.transactionPath, txRoot)
    const { txId, status, code, message, gasUsed, result, ...receipt } = decode(base64(proof.receipt), RECEIPT)
    const { tag, network, args, ...call } = decode(wire.unsigned, CALL)
    must(hash(wire.unsigned).equals(txId) && tag === 'quorate/tx/1', 'the transaction is another one')
    must(network.equals(hex(genesisHash)), 'the transaction is of another network')
    must(call.sender.equals(receipt.sender) && call.nonce === receipt.nonce, 'the receipt is of another one')
    must(signedBy(call.sender, wire.unsigned, wire.signature), 'the sender did not sign')
    const outcome = { status, gasUsed, error: status === 'ok' ? null : { code, message }, events: eventsOf(receipt) }
    const place = { id: txId.toString('hex'), height, index: proof.index, sender: addressOf(call.sender) }
    return same(shown, { ...call, ...place, args: json(args), ...outcome, result: result.length ? json(result) : null })
  },
  state({ proof, ...shown }, trust) {
    const { header, certificate, key, value, siblings, other } = only(
      proof,
      'header certificate key value siblings other',
    )
    const { height, stateRoot } = certified(header, certificate, trust)
    must(key.isWellFormed() && key.includes('\0') && (value ?? '').isWellFormed(), 'no key or no value')
    const [path, end, isAbsent] = [hash(key), key.indexOf('\0'), value === null]
    const leaf = other === undefined ? [path, hash(value ?? '')] : [hash32(other.path), hash32(other.valueHash)]
    const isBeside = siblings.every((_, depth) => bit(leaf[0], depth) === bit(path, depth)) && !leaf[0].equals(path)
    must(other === undefined || (isAbsent && isBeside), 'the other leaf is of elsewhere, or its own')
    only(other ?? {}, 'path valueHash')
    const start = isAbsent && other === undefined ? Buffer.alloc(32) : leafHash(...leaf)
    const side = (up) => bit(path, siblings.length - 1 - up)
    const turn = (node, sibling, up) => (side(up) ? pair(hash32(sibling), node) : pair(node, hash32(sibling)))
    must(
      siblings.length <= 256 && siblings.reduce(turn, start).equals(hex(stateRoot)),
      'it does not lead to the state root',
    )
    same(shown, { key: key.slice(end + 1), value: isAbsent ? null : json(value), height })
    return { ...shown, contract: key.slice(0, end), present: !isAbsent }
  },
  events({ blocks, certificate, ...shown }, trust) {
    must(blocks.length > 0, 'a range of no blocks')
    const { height: to } = certified(blocks.at(-1).header, certificate, trust)
    const proven = { from: to - blocks.length + 1, to, next: to + 1 }
    for (const [index, { header, receipts }] of blocks.map((block) => only(block, 'header receipts')).entries()) {
      const next = blocks[index + 1]?.header
      must(!next || headerHash(header).equals(hex(next.parentHash)), 'a block does not follow on the one before it')
      must(header.height === proven.from + index, 'a height does not follow')
      must(rootOf(receipts.map(base64)).equals(hex(header.receiptsRoot)), 'a receipt is missing, or too many')
    }
    const all = blocks.flatMap(({ receipts }) => receipts.map((bytes) => decode(base64(bytes), RECEIPT)))
    return { ...same(shown, proven), events: all.flatMap(eventsOf) }
  },
}

const check = (bundle) => {
  const { format, kind, genesis, epochs, document } = only(bundle, 'format kind genesisHash genesis epochs document')
  must(format === 'quorate/proof/1' && bundle.genesisHash === genesisHash, 'not a proof bundle of this network')
  must(hash(base64(genesis)).toString('hex') === genesisHash, 'genesis has another hash')
  const { validators, parameters } = decode(base64(genesis), GENESIS)
  const first = trustIn(encode(['quorate/epoch/1', 0, 0, validators, parameters, Buffer.alloc(0)]))
  must(Object.hasOwn(kinds, kind), 'not a kind of bundle')
  return { kind, ...kinds[kind](document, epochs.reduce(follow, first)) }
}
try {
  console.log(JSON.stringify(check(JSON.parse(readFileSync(file, 'utf8')))))
} catch ({ message }) {
  console.error(`refused: ${message}`)
  process.exitCode = 1
}
