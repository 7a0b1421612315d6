// How transactions get into the pool, from clients and from peers: cheap checks, one signature verification, admission, and on to the
// other validators. A transaction that this node took from a client is sent again until it has run.
import type { Verdict, Verifier } from './crypto/verifier.ts'
import type { Checked, Mempool } from './mempool/mempool.ts'
import { transactionsFrameCodec } from './types/fetch.ts'
import { fromHex } from './types/hex.ts'
import { DecodeError, decode, encode } from './types/schema.ts'
import type { Transaction } from './types/transaction.ts'

export interface IntakePorts {
  pool: Mempool
  verifier: Pick<Verifier, 'judgeBatch'>
  executedHeight(): number
  now(): number
  after(delayMs: number, callback: () => void): () => void
  /** Sends one frame of transactions to every validator this node is connected to. */
  broadcast(frame: Uint8Array): void
  /** Only to one validator, by its connection. */
  sendTo(peer: string, frame: Uint8Array): void
  /** The pool may have something to propose. */
  onAdmitted(): void
  /** A peer passed on something that no correct node passes on. */
  blame(peer: string, reason: string): void
  onError(error: unknown): void
}

export type IntakeResult =
  | { ok: true; id: string; isNew: boolean }
  | { ok: false; code: string; message: string; id?: string }

export interface Intake {
  /** From a client: admitted, then gossiped. */
  submit(wire: Uint8Array, client: string): Promise<IntakeResult>
  /** A frame from a peer: admitted, not passed on, since its first node sends it to all validators itself. */
  onFrame(peer: string, frame: Uint8Array): Promise<void>
  /** The same from gossip, where peers pass on what they cannot judge: nobody is blamed, all of it shares one budget. False when it is no frame. */
  onGossip(frame: Uint8Array): boolean
  /** Sends what is due again, a frame at a time. */
  resend(): void
  /** A validator has just connected: everything this node answers for goes to it. */
  onValidator(peer: string): void
  stop(): void
}

/** Transactions wait this long for company before they leave in one frame. */
const GATHER_MS = 5
const FRAME_BYTES_MAX = 1024 * 1024
/** What CBOR puts before each byte string, and before the array of them. */
const HEAD_BYTES = 5

export function createIntake(ports: IntakePorts): Intake {
  const { pool } = ports
  let outgoing: Uint8Array[] = []
  let cancel: (() => void) | undefined
  let stopped = false

  function gossip(wire: Uint8Array): void {
    if (stopped) return
    outgoing.push(wire)
    cancel ??= ports.after(GATHER_MS, () => {
      cancel = undefined
      const wires = outgoing
      outgoing = []
      for (const frame of framesOf(wires)) ports.broadcast(frame)
    })
  }

  /** The signature of exactly these bytes, checked once: gossip, resending and proposals find it in the pool's seen-cache. */
  async function judge(checked: Checked[], lane: string): Promise<Verdict[]> {
    const unknown = checked.filter((one) => !one.known)
    if (unknown.length === 0) return checked.map(() => 'valid')
    const verdicts = await ports.verifier.judgeBatch(
      unknown.map(({ transaction }) => itemOf(transaction)),
      lane,
    )
    const judged = new Map(unknown.map((one, index) => [one, verdicts[index]]))
    return checked.map((one) => judged.get(one) ?? 'valid')
  }

  async function submit(wire: Uint8Array, client: string): Promise<IntakeResult> {
    const checked = pool.check(wire, ports.executedHeight())
    if (!checked.ok) return checked
    const [verdict] = await judge([checked], `client ${client}`)
    if (verdict === 'refused') {
      const message = 'this client has too many doubtful signatures waiting to be checked: send it again in a second'
      return { ok: false, code: 'MEMPOOL_FULL', message, id: checked.id }
    }
    if (verdict !== 'valid') {
      const message =
        "the signature is not the sender's over these bytes: sign the transaction again with the sender's key"
      return { ok: false, code: 'BAD_SIGNATURE', message, id: checked.id }
    }
    const admission = pool.admit(checked, 'local', ports.now())
    if (!admission.ok || !admission.isNew) return admission
    gossip(wire)
    ports.onAdmitted()
    return admission
  }

  async function take(peer: string, wires: Uint8Array[], blame: IntakePorts['blame']): Promise<void> {
    const candidates: Checked[] = []
    for (const wire of wires) {
      const checked = pool.check(wire, ports.executedHeight(), peer)
      if (checked.ok) {
        if (!pool.has(checked.id)) candidates.push(checked)
      } else if (checked.code === 'MALFORMED' || checked.code === 'WRONG_NETWORK') {
        return blame(peer, `a transaction that no correct node passes on: ${checked.message}`)
      }
    }
    if (candidates.length === 0) return
    const verdicts = await judge(candidates, peer)
    let isAdmitted = false
    for (const [index, checked] of candidates.entries()) {
      if (verdicts[index] === 'refused') continue
      if (verdicts[index] !== 'valid') {
        blame(peer, `transaction ${checked.id} with a wrong signature`)
        break
      }
      const admission = pool.admit(checked, peer, ports.now())
      isAdmitted ||= admission.ok && admission.isNew
    }
    if (isAdmitted) ports.onAdmitted()
  }

  return {
    submit,
    async onFrame(peer, frame) {
      const wires = wiresOf(frame)
      if (typeof wires === 'string') ports.blame(peer, `a malformed frame of transactions: ${wires}`)
      else await take(peer, wires, ports.blame)
    },
    onGossip(frame) {
      const wires = wiresOf(frame)
      if (typeof wires === 'string') return false
      take('gossip', wires, () => {}).catch(ports.onError)
      return true
    },
    resend() {
      for (const frame of framesOf(pool.due(ports.now()).map(({ wire }) => wire))) ports.broadcast(frame)
    },
    onValidator(peer) {
      for (const frame of framesOf(pool.local().map(({ wire }) => wire))) ports.sendTo(peer, frame)
    },
    stop() {
      stopped = true
      cancel?.()
    },
  }
}

/** The transactions in a frame, or why it is none. */
function wiresOf(frame: Uint8Array): Uint8Array[] | string {
  try {
    return decode(transactionsFrameCodec, frame)
  } catch (error) {
    if (error instanceof DecodeError) return error.message
    throw error
  }
}

const itemOf = ({ sender, unsigned, signature }: Transaction) => ({
  publicKey: fromHex(sender),
  message: unsigned,
  signature,
})

/** As few frames as hold them, each under the size limit. */
export function framesOf(wires: Uint8Array[]): Uint8Array[] {
  const frames: Uint8Array[] = []
  let group: Uint8Array[] = []
  let bytes = HEAD_BYTES
  for (const wire of wires) {
    if (group.length > 0 && bytes + wire.length + HEAD_BYTES > FRAME_BYTES_MAX) {
      frames.push(encode(transactionsFrameCodec, group))
      group = []
      bytes = HEAD_BYTES
    }
    group.push(wire)
    bytes += wire.length + HEAD_BYTES
  }
  if (group.length > 0) frames.push(encode(transactionsFrameCodec, group))
  return frames
}
