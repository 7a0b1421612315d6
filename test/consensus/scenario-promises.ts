// What every scenario holds its correct validators to, over all their restarts: no vote contradicts an earlier one, no vote in a view
// that was left, and a VIEW-CHANGE shows whatever its sender committed to.
import type { LogRecord } from '../../src/consensus/record.ts'
import type { Message } from '../../src/types/message.ts'

export interface Promises {
  onSend(index: number, message: Message): void
  onReceive(from: number, message: Message): void
  /** A crash lost this record: what rested on it was never sent, so nobody may have received it. */
  onLost(index: number, record: LogRecord): void
  readonly broken: string[]
}

const slotOf = (index: number, type: string, view: number, seq: number) => `${index} ${type} v${view} s${seq}`

const voteIn = (said: Message | LogRecord) =>
  said.type === 'prepare' || said.type === 'commit' ? said.vote : undefined

export function createPromises(): Promises {
  const broken: string[] = []
  const said = new Map<string, string>()
  const received = new Set<string>()
  const left = new Map<number, number>()
  const commits = new Map<number, { view: number; seq: number }[]>()

  function onVote(index: number, type: string, view: number, seq: number, digest: string): void {
    const slot = slotOf(index, type, view, seq)
    const earlier = said.get(slot)
    if (earlier === digest) return
    if (earlier !== undefined) broken.push(`${slot} was signed twice`)
    said.set(slot, digest)
    if (view < (left.get(index) ?? 0)) broken.push(`${slot} was signed after that view was left`)
    if (type === 'commit') commits.set(index, [...(commits.get(index) ?? []), { view, seq }])
  }

  return {
    broken,
    onReceive(from, message) {
      const vote = message.type === 'proposal' ? message.prepare : voteIn(message)
      if (vote !== undefined) received.add(slotOf(from, vote.type, vote.body.view, vote.body.seq))
    },
    onLost(index, record) {
      const vote =
        record.type === 'proposal' ? record.proposal.prepare : record.type === 'prepared' ? undefined : voteIn(record)
      if (vote?.signer !== index) return
      const slot = slotOf(index, vote.type, vote.body.view, vote.body.seq)
      if (received.has(slot)) throw new Error(`${slot} was received: a crash cannot lose its record`)
      said.delete(slot)
      if (record.type === 'proposal') said.delete(slotOf(index, 'pre-prepare', vote.body.view, vote.body.seq))
    },
    onSend(index, message) {
      if (message.type === 'proposal') {
        // What others proposed is passed on in answers to STATUS.
        if (message.prePrepare.signer !== index) return
        const { view, seq, digest } = message.prePrepare.body
        onVote(index, 'pre-prepare', view, seq, digest)
        onVote(index, 'prepare', view, seq, digest)
      } else if (message.type === 'prepare' || message.type === 'commit') {
        const { view, seq, digest } = message.vote.body
        onVote(index, message.type, view, seq, digest)
      } else if (message.type === 'view-change') {
        const { vote, prepared } = message.change
        const { newView, h } = vote.body
        left.set(index, Math.max(left.get(index) ?? 0, newView))
        for (const { view, seq } of commits.get(index) ?? []) {
          if (view >= newView || seq <= h || prepared.some((one) => one.seq === seq && one.view >= view)) continue
          broken.push(`${index} forgot its COMMIT v${view} s${seq} in its VIEW-CHANGE to ${newView}`)
        }
      }
    },
  }
}
