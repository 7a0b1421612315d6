// What the API asks of the executing side: views, dry runs, replays and rehearsals, in a worker with a bounded queue, started at the first
// question.
import type { RehearsalQuestion, RehearsalResult, ReplayResult, SimulateResult, ViewResult } from './api/port.ts'
import { errorFromData } from './ledger/errors.ts'
import type { Ledger } from './ledger/ledger.ts'
import { REPLAY_BYTES_MAX, VIEW_GAS_MAX, VIEW_QUEUE_MAX } from './limits.ts'
import type { Checked, Refusal } from './mempool/mempool.ts'
import { batchCodec } from './types/block.ts'
import { decode } from './types/schema.ts'
import type { ViewerAnswer, ViewerOptions, ViewerQuestion } from './viewer.ts'
import { startWorker, type WorkerClient, workerFile } from './worker-client.ts'

export interface ReadsPorts {
  options: ViewerOptions
  ledger: Pick<Ledger, 'certifiedHeight' | 'header' | 'batch' | 'receipts'>
  /** Cheap checks of a transaction that is to be dry-run. */
  check(wire: Uint8Array): Checked | Refusal
  /** The sender's next nonce by executed state, pending ones counted. */
  pendingNonce(sender: string): number
  onViewerLost(error: Error): void
}

export interface Reads {
  view(contract: string, method: string, args: string): Promise<ViewResult>
  simulate(wire: Uint8Array): Promise<SimulateResult>
  replay(height: number, index: number): Promise<ReplayResult>
  rehearse(question: RehearsalQuestion): Promise<RehearsalResult>
  /** What a transaction of an executed block writes when it runs again; undefined where that is too much, or too many reads wait. */
  writes(height: number, index: number): Promise<[key: string, value: string | null][] | undefined>
  stop(): Promise<void>
}

const BUSY = {
  ok: false,
  code: 'BUSY',
  message: `${VIEW_QUEUE_MAX} reads are waiting already: ask again in a second, or another node`,
} as const

const tooLarge = (reason: string) =>
  ({ ok: false, code: 'TOO_LARGE', message: `${reason}: this transaction cannot be replayed from a node` }) as const

export function createReads(ports: ReadsPorts): Reads {
  let viewer: Promise<WorkerClient<ViewerQuestion, ViewerAnswer>> | undefined
  let waiting = 0

  async function ask(question: ViewerQuestion): Promise<ViewerAnswer> {
    viewer ??= start()
    waiting++
    try {
      const answer = await (await viewer).ask(question)
      if (answer.kind === 'failed') throw errorFromData(answer.error)
      return answer
    } finally {
      waiting--
    }
  }

  /** A viewer that dies takes its open questions with it and nothing else: the next question starts another. */
  function start(): NonNullable<typeof viewer> {
    const started: NonNullable<typeof viewer> = startWorker(
      workerFile('./viewer', import.meta.url),
      { workerData: ports.options, resourceLimits: { stackSizeMb: 32 } },
      (error) => {
        if (viewer === started) viewer = undefined
        ports.onViewerLost(error)
      },
    )
    started.catch(() => {
      if (viewer === started) viewer = undefined
    })
    return started
  }

  /** Public reads answer at the certified height. */
  async function position(): Promise<{ height: number; time: number }> {
    const height = ports.ledger.certifiedHeight()
    const header = await ports.ledger.header(height)
    if (header === undefined) throw new Error(`the ledger has no header at its certified height ${height}`)
    return { height, time: header.time }
  }

  /** Another run costs as much as the first one did, and so do those before it that its state comes from. */
  function refuseDear(gas: { before: number; own: number }): ReplayResult | undefined {
    if (gas.before <= VIEW_GAS_MAX && gas.own <= VIEW_GAS_MAX) return undefined
    const [whose, used] =
      gas.own > VIEW_GAS_MAX ? ['It', gas.own] : ['The transactions before it in its block', gas.before]
    return tooLarge(`${whose} used ${used} gas, and a node runs at most ${VIEW_GAS_MAX} again`)
  }

  return {
    async view(contract, method, args) {
      if (waiting >= VIEW_QUEUE_MAX) return BUSY
      const { height, time } = await position()
      const answer = await ask({ kind: 'view', height, time, contract, method, args })
      if (answer.kind !== 'view') throw new Error('the viewer answered another question')
      const { result } = answer
      if (!result.ok) return { ok: false, code: result.code, message: result.message }
      return { ok: true, result: result.result, gasUsed: result.gasUsed, height }
    },
    async simulate(wire) {
      const checked = ports.check(wire)
      if (
        !checked.ok &&
        !['NONCE_USED', 'NONCE_TAKEN', 'NONCE_TOO_FAR', 'MEMPOOL_FULL', 'EXPIRED'].includes(checked.code)
      )
        return checked
      if (waiting >= VIEW_QUEUE_MAX) return BUSY
      const { height, time } = await position()
      // One that waits behind its sender's pending ones is run as if those had run.
      const assumeNonce = checked.ok && checked.transaction.nonce <= ports.pendingNonce(checked.transaction.sender)
      const answer = await ask({ kind: 'simulate', height, time, wire, assumeNonce })
      if (answer.kind !== 'simulate') throw new Error('the viewer answered another question')
      return { ok: true, height: height + 1, receipt: answer.receipt }
    },
    async replay(height, index) {
      if (waiting >= VIEW_QUEUE_MAX) return BUSY
      const { ledger } = ports
      const [header, batch, receipts] = await Promise.all([
        ledger.header(height),
        ledger.batch(height),
        ledger.receipts(height),
      ])
      const wires = batch && decode(batchCodec, batch).txs
      if (header === undefined || wires?.[index] === undefined || receipts?.[index] === undefined)
        throw new Error(`the ledger has no transaction ${index} of block ${height}`)
      const before = receipts.slice(0, index).reduce((sum, { gasUsed }) => sum + gasUsed, 0)
      const refusal = refuseDear({ before, own: receipts[index].gasUsed })
      if (refusal !== undefined) return refusal
      const { time } = header
      const answer = await ask({ kind: 'replay', height, time, wires: wires.slice(0, index + 1) })
      if (answer.kind !== 'replay') throw new Error('the viewer answered another question')
      if (answer.record !== undefined) return { ok: true, ...answer.record }
      return tooLarge(`What it needs of the state has more than ${REPLAY_BYTES_MAX} bytes`)
    },
    async rehearse(question) {
      if (waiting >= VIEW_QUEUE_MAX) return { refused: BUSY.code, message: BUSY.message }
      const answer = await ask({ kind: 'rehearse', ...question })
      if (answer.kind !== 'rehearse') throw new Error('the viewer answered another question')
      return answer.rehearsal
    },
    async writes(height, index) {
      if (waiting >= VIEW_QUEUE_MAX) return undefined
      const [header, batch] = await Promise.all([ports.ledger.header(height), ports.ledger.batch(height)])
      const wires = batch && decode(batchCodec, batch).txs.slice(0, index + 1)
      if (header === undefined || wires?.length !== index + 1) return undefined
      const answer = await ask({ kind: 'writes', height, time: header.time, wires })
      if (answer.kind !== 'writes') throw new Error('the viewer answered another question')
      return answer.writes
    },
    async stop() {
      const running = viewer
      viewer = undefined
      await (await running?.catch(() => undefined))?.close()
    },
  }
}
