/**
 * The contract sandbox: runs one handler of one contract and says what came of it. Every call starts from the contract's
 * memory image, is metered by counting, and ends as a value; only a bug of the host leaves `run` as an exception.
 */
import { createHash } from 'node:crypto'
import { engineHash } from '../engine-hash.ts'
import type { Pointer } from './engine.ts'
import { createMeter, imageGas, price } from './gas.ts'
import { createHostCalls } from './host.ts'
import { bootBaseImage, hashMachine } from './image.ts'
import { createImageCache, type ImageStore, type LoadedContract } from './images.ts'
import { DEPTH_MAX, ENGINE_CALLS_MAX, IMAGE_CACHE_BYTES, LOAD_GAS_MAX } from './limits.ts'
import { loadContract } from './load.ts'
import type { Machine } from './machine.ts'
import { createMachineSlot, type MachineSlot } from './machine-slot.ts'
import { readOutcome } from './outcome.ts'
import { createStoredImages } from './stored-images.ts'
import { areArgumentsBounded } from './text.ts'
import type { Inspection, Invocation, Outcome } from './types.ts'

export type { ImageStore } from './images.ts'
export type * from './types.ts'

export interface SandboxOptions {
  /** Nested calls, the transaction's own included. */
  depthMax?: number
  /** Bound on the memory images kept. */
  imageCacheBytes?: number
  /** Where images outlast memory; without it one that was dropped is evaluated again. */
  imageStore?: ImageStore
}

export interface Sandbox {
  run(invocation: Invocation): Outcome
  /** What a bundle offers, or why it is not a contract. Evaluates its top level under gas. */
  inspect(code: string, gasLimit: number): Inspection
  /** SHA-256 of a machine's state restored for this contract: the same always and everywhere. For audits and tests. */
  hashRestoredState(code: string, depth: number): string
}

export const hashCode = (code: string) => createHash('sha256').update(code, 'utf8').digest('hex')

export function createSandbox(options: SandboxOptions = {}): Sandbox {
  const depthMax = options.depthMax ?? DEPTH_MAX
  const images = createImageCache(options.imageCacheBytes ?? IMAGE_CACHE_BYTES)
  const base = bootBaseImage()
  const stored = options.imageStore && createStoredImages(options.imageStore, base, engineHash())
  const loader = createMachineSlot()
  const slots: MachineSlot[] = []

  function slotAt(depth: number): MachineSlot {
    for (let missing = slots.length; missing <= depth; missing++) slots.push(createMachineSlot())
    return slots[depth]!
  }

  /** What evaluating a deployed contract's code leaves, wherever it comes from. */
  function find(code: string, codeHash: string): LoadedContract | (Inspection & { ok: false }) {
    const known = images.get(codeHash)
    if (known !== undefined) return known
    const kept = stored?.get(codeHash)
    if (kept === undefined) return load(code, codeHash, LOAD_GAS_MAX)
    images.put(codeHash, kept)
    return kept
  }

  function load(code: string, codeHash: string, gasLimit: number): LoadedContract | (Inspection & { ok: false }) {
    const actual = hashCode(code)
    if (actual !== codeHash) throw new Error(`contract code has hash ${actual}, but was given as ${codeHash}`)
    const loaded = loadContract(loader, base, code, gasLimit)
    if (!('image' in loaded)) return loaded
    images.put(codeHash, loaded)
    // At once and not when it leaves memory, so that leaving costs the call that brings it about nothing.
    stored?.put(codeHash, loaded)
    return loaded
  }

  function run(invocation: Invocation): Outcome {
    const { code, codeHash, args, gasLimit, depth } = invocation
    if (depth >= depthMax) return { status: 'trap', code: 'DEPTH', gasUsed: gasLimit }
    if (!areArgumentsBounded(args)) return { status: 'failed', code: 'BAD_ARGUMENTS', message: '', gasUsed: 0 }
    const contract = find(code, codeHash)
    if (!('image' in contract)) return { status: 'failed', code: 'BAD_CODE', message: '', gasUsed: 0 }
    // Nested calls run on one native stack, so they share the bound on unfinished calls.
    const calls = slots[depth - 1]?.callsLeft() ?? ENGINE_CALLS_MAX
    const outcome = slotAt(depth).run(contract.image, { gas: gasLimit, calls }, (machine) =>
      runLoaded(machine, contract, invocation),
    )
    return 'trap' in outcome ? { status: 'trap', code: outcome.trap, gasUsed: gasLimit } : outcome
  }

  return {
    run,
    inspect(code, gasLimit) {
      const codeHash = hashCode(code)
      // Never more than a rebuild gets: an image that was made once must be possible to make again. Never from the store: somebody
      // with another limit may have put it there.
      const loaded = images.get(codeHash) ?? load(code, codeHash, Math.min(gasLimit, LOAD_GAS_MAX))
      return 'image' in loaded ? { ok: true, ...loaded.shape } : loaded
    },
    hashRestoredState(code, depth) {
      const contract = find(code, hashCode(code))
      if (!('image' in contract)) throw new Error(`not a contract: ${contract.code} ${contract.message}`)
      const hash = slotAt(depth).run(contract.image, { gas: 0, calls: 0 }, hashMachine)
      return typeof hash === 'string' ? hash : hash.trap
    },
  }
}

function runLoaded(machine: Machine, { image }: LoadedContract, invocation: Invocation): Outcome {
  const { args, gasLimit } = invocation
  const meter = createMeter(machine.engine, gasLimit)
  meter.charge(price.run + imageGas(image.bytes.length), Buffer.byteLength(args))
  machine.hostCalls = createHostCalls(machine, invocation, meter)
  return readOutcome(machine, machine.call(image.handles.dispatch, dispatchValues(machine, invocation)), meter)
}

/** The parameters of the prelude's `dispatch`. */
function dispatchValues({ engine, newText }: Machine, { kind, method, args, context }: Invocation): Pointer[] {
  const { sender, origin, contract, block, tx } = context
  const textOrNull = (text: string | null) => (text === null ? engine.qjs_get_null() : newText(text))
  const from = textOrNull(sender)
  const signer = origin === sender ? from : textOrNull(origin)
  const at = [engine.qjs_new_number(block.height), engine.qjs_new_number(block.time)]
  return [
    newText(kind),
    newText(method),
    newText(args),
    from,
    signer,
    newText(contract),
    ...at,
    textOrNull(tx?.id ?? null),
  ]
}
