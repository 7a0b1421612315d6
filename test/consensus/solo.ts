// One core alone: a test plays all the others, and time.
import { type Core, createCore } from '../../src/consensus/core.ts'
import type { Delivery, Event, Outgoing } from '../../src/consensus/event.ts'
import type { LogRecord } from '../../src/consensus/record.ts'
import { batchDigest } from '../../src/crypto/digest.ts'
import { type Batch, batchCodec } from '../../src/types/block.ts'
import type { Parameters } from '../../src/types/epoch.ts'
import type { Message } from '../../src/types/message.ts'
import { encode } from '../../src/types/schema.ts'
import { headerAt } from '../network-edge/support.ts'
import { epochOf } from './cluster.ts'

interface Options {
  n?: number
  self?: number
  voting?: boolean
  parameters?: Partial<Parameters>
}

type MessageOf<T> = Extract<Message, { type: T }>

export class Solo {
  readonly core: Core
  readonly saved: LogRecord[] = []
  readonly sent: Outgoing[] = []
  readonly delivered: Delivery[] = []
  /** The wall clock is another one than the clock that never jumps. */
  at = 5_000

  constructor({ n = 4, self = 3, voting = true, parameters = {} }: Options = {}) {
    this.core = createCore({
      genesisHash: 'ab'.repeat(32),
      epoch: epochOf(n, parameters),
      validatorsHash: 'cd'.repeat(32),
      self,
      voting,
      lastExec: 0,
      h: 0,
      certified: undefined,
      uncertified: [],
      sign: () => new Uint8Array(64).fill(self + 1),
      records: [],
    })
    this.tick(0)
    this.step({ type: 'start' })
  }

  step(...events: Event[]): void {
    for (const event of events) {
      const { save, send, deliver } = this.core.step(event)
      this.saved.push(...save)
      this.sent.push(...send)
      this.delivered.push(...deliver)
    }
  }

  /** Time passes, then the driver ticks. */
  tick(ms: number, hasWork = false): void {
    this.at += ms
    this.step({ type: 'tick', now: 10_000 + this.at, at: this.at, hasWork })
  }

  /** Ticks as often as the driver does. */
  pass(ms: number, hasWork = false): void {
    for (let left = ms; left > 0; left -= 100) this.tick(Math.min(100, left), hasWork)
  }

  /** The messages of one kind sent so far; what was sent before is forgotten by `forget`. */
  of<T extends Message['type']>(type: T): MessageOf<T>[] {
    return this.sent.map(({ message }) => message).filter((message): message is MessageOf<T> => message.type === type)
  }

  forget(): void {
    this.sent.length = 0
    this.delivered.length = 0
  }

  /** The executor made a block of what was delivered. */
  execute(height: number, hash = 'ee'.repeat(32)): void {
    this.step({ type: 'executed', header: headerAt(height), blockHash: hash })
  }

  /** Where it is: "1" in view 1, "1?" between leaving view 0 and the NEW-VIEW of view 1. */
  view(): string {
    return `${this.core.state.view}${this.core.state.active ? '' : '?'}`
  }
}

export const bodyOf = (batch: Batch) => ({ batch, bytes: encode(batchCodec, batch), digest: batchDigest(batch) })
