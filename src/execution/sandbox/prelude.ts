/**
 * The script that runs inside the engine before any contract: it removes what a contract must not have, keeps pristine
 * copies of the built-ins it uses itself, and is the only code that talks to the host. It is text, not a function, because
 * its bytes are consensus code and must not depend on how this file was compiled.
 *
 * Everything captured before the contract is evaluated stays out of its reach: a contract that replaces JSON.parse or
 * pollutes a prototype changes only what its own code sees.
 */
import { LOG_BYTES_MAX } from './limits.ts'
import { refusals } from './types.ts'

/** Operations of the single host function; the index is the wire. */
export const operations = [
  'get',
  'set',
  'delete',
  'scan',
  'emit',
  'call',
  'view',
  'sha256',
  'verifyEd25519',
  'isAddress',
  'hasRole',
  'log',
] as const
export type Operation = (typeof operations)[number]

/** How a value to be written or emitted is given: as JSON text still to be looked at, as such, or as a text that the host puts in quotes. */
export const valueForms = { json: 0, checked: 1, text: 2, fields: 3 } as const
/** The host's answer to JSON text in which something might have become null. Refusals are counted from 0. */
export const CHECK_AGAIN = -1

/** Globals that stay. A list of what is kept, so that a later engine's additions are not let in unnoticed. */
const kept =
  `Object Function Error EvalError RangeError ReferenceError SyntaxError TypeError URIError InternalError AggregateError
SuppressedError Iterator Array parseInt parseFloat isNaN isFinite decodeURI decodeURIComponent encodeURI encodeURIComponent
Infinity NaN undefined Number Boolean String Math Reflect Symbol globalThis BigInt Date RegExp JSON Proxy Map Set WeakMap WeakSet
ArrayBuffer Uint8ClampedArray Int8Array Uint8Array Int16Array Uint16Array Int32Array Uint32Array BigInt64Array BigUint64Array
Float32Array Float64Array DataView Promise`.split(/\s+/)

/** Characters of a log line: of three bytes each at most, since a pair of surrogates has four. */
const LOG_CHARACTERS_MAX = Math.floor(LOG_BYTES_MAX / 3)

const constants = `const codes = ${JSON.stringify(refusals)}, kept = ${JSON.stringify(kept)}, logCharacters = ${LOG_CHARACTERS_MAX};
const [${operations.map((name) => `op_${name}`).join(', ')}] = ${JSON.stringify(operations.map((_, index) => index))};
const form_json = ${valueForms.json}, form_checked = ${valueForms.checked}, form_text = ${valueForms.text}, form_fields = ${valueForms.fields}, check_again = ${CHECK_AGAIN};`

const pristine = `
const { parse, stringify } = JSON
const { freeze, getPrototypeOf, setPrototypeOf, defineProperty, getOwnPropertyDescriptor, getOwnPropertyNames, keys, values: valuesOf } = Object
const { construct } = Reflect
const plain = Object.prototype
const { isFinite } = Number
const uncurry = Function.prototype.call.bind.bind(Function.prototype.call)
const isWellFormed = uncurry(String.prototype.isWellFormed)
const toWellFormed = uncurry(String.prototype.toWellFormed)
const slice = uncurry(String.prototype.slice)
const includes = uncurry(String.prototype.includes)
const split = uncurry(String.prototype.split)
const indexOf = uncurry(String.prototype.indexOf)
const numberOf = uncurry(Number.prototype.valueOf)
const NativeString = String, NativeError = Error, NativeTypeError = TypeError, Bytes = Uint8Array
const bytesTag = uncurry(getOwnPropertyDescriptor(getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag).get)
const errorKinds = { memory: InternalError.prototype, stack: RangeError.prototype, syntax: SyntaxError.prototype }
`

const removals = `
const absent = (name) => {
  const thrower = function () { throw new NativeTypeError(name + ' is not available in a contract') }
  defineProperty(thrower, 'name', { value: name })
  return thrower
}
for (const name of getOwnPropertyNames(globalThis)) if (!kept.includes(name)) delete globalThis[name]
const pin = (object, name, value) => defineProperty(object, name, { value, writable: false, enumerable: false, configurable: false })
const NoFunction = absent('Function')
NoFunction.prototype = Function.prototype
globalThis.Function = NoFunction
for (const sample of [function () {}, function* () {}, async function () {}, async function* () {}]) pin(getPrototypeOf(sample), 'constructor', NoFunction)
pin(Math, 'random', absent('Math.random'))
const NativeDate = Date
const PinnedDate = function Date(...given) {
  if (new.target === undefined || given.length === 0) throw new NativeTypeError('the current time is not available in a contract: use ctx.block.time')
  return construct(NativeDate, given, new.target)
}
PinnedDate.prototype = NativeDate.prototype
pin(PinnedDate, 'now', absent('Date.now'))
pin(PinnedDate, 'parse', NativeDate.parse)
pin(PinnedDate, 'UTC', NativeDate.UTC)
pin(NativeDate.prototype, 'constructor', PinnedDate)
globalThis.Date = PinnedDate
`

const values = String.raw`
const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function'
const refusalTexts = {
  __proto__: null,
  READ_ONLY: 'a view cannot write, emit or call',
  BAD_KEY: 'a key is text of 1 to 256 UTF-8 bytes without lone surrogates',
  BAD_VALUE: 'the value or argument is not of the type this function takes (JSON values: no bigint, no non-finite number, not undefined)',
  LIMIT: 'a value, result, event, scan or name passes its limit',
  NESTED: 'the called contract failed',
}
class Refusal extends NativeError {
  #code
  constructor(code, message) { super(message); this.#code = code; this.code = code }
  static codeOf(error) { return isObject(error) && #code in error ? error.#code : undefined }
}
const codeOf = Refusal.codeOf
delete Refusal.codeOf
pin(Refusal.prototype, 'constructor', NativeError)
const refuse = (code) => { throw new Refusal(code, refusalTexts[code]) }

const strict = (key, value) => {
  if (typeof value === 'bigint' || (typeof value === 'number' && !isFinite(value))) refuse('BAD_VALUE')
  if (typeof value === 'object' && value !== null) {
    let number = 0
    try { number = numberOf(value) } catch {}
    if (!isFinite(number)) refuse('BAD_VALUE')
  }
  return value
}
// JSON.stringify writes a non-finite number as null, so a text with a null in it needs the slow second look.
const toUncheckedText = (value) => {
  let text
  try { text = stringify(value) } catch (error) { stringify(value, strict); throw error }
  return text === undefined ? refuse('BAD_VALUE') : text
}
const toCheckedText = (value) => stringify(value, strict) ?? refuse('BAD_VALUE')
const toText = (value) => {
  const text = toUncheckedText(value)
  return includes(text, 'null') ? toCheckedText(value) : text
}
// An object of a few texts, such as most events are, is handed over in pieces.
const giveFields = (operation, name, value) => {
  if (typeof value !== 'object' || value === null || getPrototypeOf(value) !== plain || value.toJSON !== undefined) return check_again
  const texts = valuesOf(value), names = keys(value)
  for (let index = 0; index < texts.length; index++) if (typeof texts[index] !== 'string') return check_again
  switch (texts.length) {
    case 1: return host(operation, name, form_fields, names[0], texts[0])
    case 2: return host(operation, name, form_fields, names[0], texts[0], names[1], texts[1])
    case 3: return host(operation, name, form_fields, names[0], texts[0], names[1], texts[1], names[2], texts[2])
  }
  return check_again
}
// Looking through a text, or putting it in quotes, takes the engine a hundred times as long as the host.
const store = (operation, name, value) => {
  let answered
  if (typeof value === 'string') answered = host(operation, name, form_text, value)
  else answered = giveFields(operation, name, value)
  if (answered === check_again) answered = host(operation, name, form_json, toUncheckedText(value))
  if (answered === check_again) answered = host(operation, name, form_checked, toCheckedText(value))
  if (answered !== undefined) refuse(codes[answered])
}
const textOf = (value, code) => (typeof value === 'string' ? value : refuse(code))
const answer = (value) => (typeof value === 'number' ? refuse(codes[value]) : value)
// A copy, because the view handed in may be detached or resized.
const dataOf = (value) => {
  if (typeof value === 'string') return textOf(value, 'BAD_VALUE')
  return bytesTag(value) === 'Uint8Array' ? new Bytes(value) : refuse('BAD_VALUE')
}
const plainMessage = (error) => {
  try {
    const raw = isObject(error) ? error.message : NativeString(error)
    return typeof raw === 'string' ? toWellFormed(slice(raw, 0, 1024)) : ''
  } catch { return '' }
}
const describe = (error) => {
  const code = codeOf(error)
  if (code !== undefined) return 'e' + code + '\n' + (code === 'NESTED' ? plainMessage(error) : '')
  try {
    const kind = isObject(error) ? getPrototypeOf(error) : undefined
    if (kind === errorKinds.memory && error.message === 'out of memory') return 'eOUT_OF_MEMORY\n'
    if (kind === errorKinds.stack && error.message === 'Maximum call stack size exceeded') return 'eSTACK_OVERFLOW\n'
  } catch {}
  return 'eTHROWN\n' + plainMessage(error)
}
const describeLoading = (error) => {
  try {
    if (isObject(error) && getPrototypeOf(error) === errorKinds.syntax) {
      return 'eSYNTAX\n' + plainMessage(error) + ' ' + toWellFormed(slice(NativeString(error.stack), 0, 200))
    }
  } catch {}
  return describe(error)
}
`

const context = String.raw`
const state = freeze({
  get(key) {
    if (typeof key !== 'string') refuse('BAD_KEY')
    const text = host(op_get, key)
    if (text === undefined) return undefined
    return typeof text === 'string' ? parse(text) : refuse(codes[text])
  },
  set(key, value) {
    if (typeof key !== 'string') refuse('BAD_KEY')
    store(op_set, key, value)
  },
  delete(key) { answer(host(op_delete, textOf(key, 'BAD_KEY'))) },
  scan(prefix, options) {
    const { after, limit } = options === undefined ? {} : isObject(options) ? options : refuse('BAD_VALUE')
    if (limit !== undefined && typeof limit !== 'number') refuse('BAD_VALUE')
    const afterText = after === undefined ? undefined : textOf(after, 'BAD_KEY')
    const limitText = limit === undefined ? undefined : NativeString(limit)
    return parse(answer(host(op_scan, textOf(prefix, 'BAD_KEY'), afterText, limitText)))
  },
})
const crypto = freeze({
  sha256: (data) => answer(host(op_sha256, dataOf(data))),
  verifyEd25519: (publicKey, message, signature) =>
    answer(host(op_verifyEd25519, textOf(publicKey, 'BAD_VALUE'), dataOf(message), textOf(signature, 'BAD_VALUE'))),
})
const emit = (name, data) => {
  if (typeof name !== 'string') refuse('BAD_VALUE')
  store(op_emit, name, data)
}
const nested = (operation) => (contract, method, args = {}) => {
  const text = answer(host(operation, textOf(contract, 'BAD_VALUE'), textOf(method, 'BAD_VALUE'), toText(args)))
  if (text === 'u') return undefined
  if (text[0] === 'v') return parse(slice(text, 1))
  const end = indexOf(text, '\n')
  const error = new Refusal('NESTED', slice(text, end + 1))
  error.calleeCode = slice(text, 1, end)
  throw error
}
const call = nested(op_call), view = nested(op_view)
const isAddress = (text) => typeof text === 'string' && answer(host(op_isAddress, text))
const hasRole = (account, role) => answer(host(op_hasRole, textOf(account, 'BAD_VALUE'), textOf(role, 'BAD_VALUE')))
for (const injected of [state.get, state.set, state.delete, state.scan, crypto.sha256, crypto.verifyEd25519, emit, call, view, isAddress, hasRole]) freeze(injected)
// One context for the one call an image serves, made beforehand; a call only fills in what it reads.
let sender, origin, contractName, height, time, txId
const block = freeze({ get height() { return height }, get time() { return time } })
const transaction = freeze({ get id() { return txId } })
const given = freeze({
  get sender() { return sender },
  get origin() { return origin },
  get contract() { return contractName },
  block,
  get tx() { return txId === null ? null : transaction },
  state, emit, call, view, crypto, isAddress, hasRole,
})
`

const logging = `
let running = false
const wordOf = (value) => {
  if (typeof value === 'string') return value
  if (typeof value === 'function') return '[function]'
  if (!isObject(value)) return NativeString(value)
  if (value instanceof NativeError) return NativeString(value.name) + ': ' + plainMessage(value)
  const text = stringify(value, (key, inner) => (typeof inner === 'bigint' ? inner + 'n' : inner))
  return text === undefined ? 'undefined' : text
}
const logger = (level) => {
  const log = (...given) => {
    // What a top level writes is never shown: it runs whenever a node has to load the code again.
    if (!running) return
    let line = ''
    for (let index = 0; index < given.length && line.length < logCharacters; index++) {
      let word = '[unprintable]'
      try { word = slice(wordOf(given[index]), 0, logCharacters) } catch {}
      line += index === 0 ? word : ' ' + word
    }
    answer(host(op_log, level, toWellFormed(slice(line, 0, logCharacters))))
  }
  defineProperty(log, 'name', { value: level })
  return freeze(log)
}
globalThis.console = { log: logger('log'), info: logger('info'), warn: logger('warn'), error: logger('error'), debug: logger('debug') }
`

const entries = String.raw`
let initialise, migrate, calls = { __proto__: null }, views = { __proto__: null }
const tableOf = (handlers, table, where) => {
  if (handlers === undefined) return []
  if (!isObject(handlers)) throw new NativeTypeError(where + ' must be an object of functions')
  const names = keys(handlers)
  for (let index = 0; index < names.length; index++) {
    const handler = handlers[names[index]]
    if (typeof handler !== 'function') throw new NativeTypeError(where + '.' + names[index] + ' must be a function')
    if (names[index] in calls) throw new NativeTypeError(names[index] + ' is both a call and a view')
    table[names[index]] = handler
  }
  return names
}
const register = () => {
  let bundle, definition
  try {
    bundle = globalThis.quorateContract
    definition = isObject(bundle) ? bundle.default : undefined
  } catch (error) { return describe(error) }
  if (!isObject(definition)) return 'eNO_CONTRACT\nthe script exports no contract: write export default contract({ … })'
  try {
    initialise = definition.init
    if (initialise !== undefined && typeof initialise !== 'function') throw new NativeTypeError('init must be a function')
    migrate = definition.migrate
    if (migrate !== undefined && typeof migrate !== 'function') throw new NativeTypeError('migrate must be a function')
    const callNames = tableOf(definition.calls, calls, 'calls')
    return 'v' + stringify({ init: initialise !== undefined, migrate: migrate !== undefined, calls: callNames, views: tableOf(definition.views, views, 'views') })
  } catch (error) { return 'eBAD_SHAPE\n' + plainMessage(error) }
}
const handlerOf = (kind, method) => (kind === 'init' ? initialise : kind === 'migrate' ? migrate : kind === 'call' ? calls[method] : views[method])
const dispatch = (kind, method, argsText, from, signer, name, blockHeight, blockTime, id) => {
  running = true
  try {
    sender = from; origin = signer; contractName = name; height = blockHeight; time = blockTime; txId = id
    const handler = handlerOf(kind, method)
    if (handler === undefined) return kind === 'init' ? 'u' : 'eUNKNOWN_METHOD\n'
    let args
    try { args = parse(argsText) } catch (error) {
      const description = describe(error)
      return description === 'eOUT_OF_MEMORY\n' ? description : 'eBAD_ARGUMENTS\n'
    }
    const result = handler(given, args)
    if (result === undefined) return 'u'
    if (isObject(result) && typeof result.then === 'function') return 'ePROMISE\n'
    return typeof result === 'string' && isWellFormed(result) ? 's' + result : 'v' + toText(result)
  } catch (error) { return describe(error) }
}
return { register, dispatch, describeLoading }
`

export const preludeText = `(function (host) {
'use strict';
${constants}${pristine}${removals}${values}${context}${logging}${entries}})`
