// What one validator has promised by what it sent, whatever crashes lay between: the rules that no correct validator breaks
// (docs/protocol.md, "Durability" and "View change"). It judges from the messages alone.
import { reproposalsOf } from '../../src/consensus/new-view.ts'
import { toHex } from '../../src/types/hex.ts'
import { type Message, type NewView, newViewCodec, type ViewChange, viewChangeCodec } from '../../src/types/message.ts'
import { encode } from '../../src/types/schema.ts'

interface SlotVote {
  type: 'pre-prepare' | 'prepare' | 'commit'
  view: number
  seq: number
  digest: string
}

export interface Promises {
  /** Takes a message down and returns which promises it breaks. */
  broken(message: Message): string[]
  copy(): Promises
}

export function createPromises(
  said: Map<string, string> = new Map(),
  commits: SlotVote[] = [],
  fixed: Map<number, NewView> = new Map(),
  start = 0,
): Promises {
  /** The view of the newest VIEW-CHANGE: nothing new is signed below it. */
  let leftFor = start

  /** One thing said about one subject, for ever. */
  function isSecond(subject: string, what: string): boolean {
    const before = said.get(subject)
    said.set(subject, before ?? what)
    return before !== undefined && before !== what
  }

  function onVote({ type, view, seq, digest }: SlotVote): string[] {
    const subject = `${type} (${view}, ${seq})`
    const isNew = !said.has(subject)
    const faults: string[] = []
    if (isSecond(subject, digest)) faults.push(`a second ${subject}`)
    if (isNew && view < leftFor) faults.push(`${subject} after the VIEW-CHANGE to ${leftFor}`)
    if (type === 'commit' && isNew) commits.push({ type, view, seq, digest })
    const newView = fixed.get(view)
    const due = newView === undefined ? undefined : reproposalsOf(newView.viewChanges).digests.get(seq)
    if (due !== undefined && due !== digest) faults.push(`${subject} against its own NEW-VIEW`)
    return faults
  }

  function onViewChange(change: ViewChange): string[] {
    const { newView, h } = change.vote.body
    const faults: string[] = []
    if (isSecond(`VIEW-CHANGE to ${newView}`, toHex(encode(viewChangeCodec, change)))) {
      faults.push(`a second VIEW-CHANGE to ${newView}`)
    }
    leftFor = Math.max(leftFor, newView)
    for (const { view, seq, digest } of commits) {
      if (view >= newView || seq <= h) continue
      const shown = change.prepared.find((one) => one.seq === seq)
      const isKept = shown !== undefined && (shown.view > view || (shown.view === view && shown.digest === digest))
      if (!isKept) faults.push(`a VIEW-CHANGE to ${newView} without its COMMIT (${view}, ${seq})`)
    }
    return faults
  }

  function onNewView(newView: NewView): string[] {
    const { view } = newView.vote.body
    fixed.set(view, fixed.get(view) ?? newView)
    const bytes = toHex(encode(newViewCodec, newView))
    return isSecond(`NEW-VIEW ${view}`, bytes) ? [`a second NEW-VIEW ${view}`] : []
  }

  return {
    broken(message) {
      switch (message.type) {
        case 'proposal':
          return [message.prePrepare, message.prepare].flatMap(({ type, body }) => onVote({ type, ...body }))
        case 'prepare':
        case 'commit':
          return onVote({ type: message.type, ...message.vote.body })
        case 'exec': {
          const { height, blockHash } = message.vote.body
          return isSecond(`EXEC ${height}`, blockHash) ? [`a second EXEC ${height}`] : []
        }
        case 'view-change':
          return onViewChange(message.change)
        case 'new-view':
          return onNewView(message.newView)
        default:
          return []
      }
    },
    copy: () => createPromises(new Map(said), [...commits], new Map(fixed), leftFor),
  }
}
