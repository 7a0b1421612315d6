// GET /v1/evidence: what this node holds against validators, for anyone to check offline.
import { evidenceKinds } from '../../types/evidence.ts'
import type { Routes } from '../context.ts'
import { base64, timeText } from '../json.ts'
import type { EvidenceView } from '../port.ts'
import { answers, height, listOf, object, query, time } from '../schemas.ts'

const count = { type: 'integer', minimum: 0 }
const message = { type: 'string', contentEncoding: 'base64' }

const evidence = object({
  validator: { type: 'string', description: 'Who signed it, by name.' },
  kind: {
    type: 'string',
    enum: [...evidenceKinds],
    description:
      'Of which type the two votes are; amnesia: a COMMIT that a VIEW-CHANGE hides; new-view: an invalid one.',
  },
  epoch: count,
  view: { ...count, description: 'The view both are about; 0 for exec.' },
  height: { ...height, description: 'The height both are about; 0 where they are about none.' },
  first: { ...message, description: 'A signed message in canonical bytes.' },
  second: { ...message, description: 'The one that contradicts it; empty where the first alone breaks the rules.' },
  seenAt: time,
})

export const evidenceRoutes: Routes = (app, { node, gates }) => {
  app.get('/v1/evidence', {
    schema: {
      summary: 'Proofs of what validators did wrong',
      description:
        'What this node itself has seen, kept for good, a bounded number for each validator. Each entry can be checked with the ' +
        'genesis document alone: both signatures are the validator’s, and no correct validator signs both messages.',
      querystring: query(),
      response: answers({ 200: object({ evidence: listOf(evidence) }) }, 'BAD_PARAMETER', 'TOO_BUSY'),
    },
    handler: () => gates.reads.run(async () => ({ evidence: (await node.evidence()).map(evidenceJson) })),
  })
}

const evidenceJson = ({ validator, kind, epoch, view, height, first, second, seenAt }: EvidenceView) => ({
  validator,
  kind,
  epoch,
  view,
  height,
  first: base64(first),
  second: base64(second),
  seenAt: timeText(seenAt),
})
