// What a bundle may hold: the members that are compared with proven bytes, down to the last, and nothing beside them. Whoever opens the
// file may read any of it, so nothing in it is a server's word.
import { type Json, refuse, shown } from './read.ts'

/** `null` is a value that is compared as a whole; a list has one shape for all that is in it. */
type Shape = null | readonly [Shape] | { readonly [name: string]: Shape }

const named = (names: string): Record<string, Shape> => Object.fromEntries(names.split(' ').map((name) => [name, null]))

const header = named(
  'genesisHash epoch height parentHash batchDigest txRoot receiptsRoot stateRoot time proposer validatorsHash nextValidatorsHash epochEnd proposers',
)
export const headerMembers = Object.keys(header)
const certificate = { ...named('height blockHash'), signatures: [named('signer signature')] } as const
const certified = { header, certificate }

const documents = {
  transaction: {
    ...named('id height index sender nonce expires gasLimit contract method args status gasUsed result'),
    error: named('code message'),
    events: [named('contract name data')],
    proof: { ...certified, ...named('receipt receiptPath transaction transactionPath index count') },
  },
  state: {
    ...named('key value height'),
    proof: { ...certified, ...named('key value siblings'), other: named('path valueHash'), next: certified },
  },
  events: { ...named('from to next'), blocks: [{ header, receipts: null }], certificate },
} as const

export type BundleKind = keyof typeof documents
export const bundleKinds = Object.keys(documents) as BundleKind[]

/** Refuses a bundle in which there is anything that nothing proves. */
export function requireNothingElse(bundle: Json, kind: BundleKind): void {
  const epochs = [{ ...certified, record: null }] as const
  const shape = { ...named('format kind genesisHash genesis'), epochs, document: documents[kind] }
  const stranger = strangerIn(bundle, shape)
  if (stranger !== undefined) refuse(`the bundle has a member ${shown(stranger.join('.'))}, which nothing proves`)
}

/** A copy of a document with nothing in it that nothing proves. */
export const provenMembers = (document: unknown, kind: BundleKind): Json => kept(document, documents[kind]) as Json

/** The place of a member that the shape does not have. Values of another type are the verifier's to refuse. */
function strangerIn(value: unknown, shape: Shape): string[] | undefined {
  if (shape === null || typeof value !== 'object' || value === null) return undefined
  for (const [name, inner] of Object.entries(value)) {
    const within = shapeAt(shape, name)
    if (within === undefined) return [name]
    const stranger = strangerIn(inner, within)
    if (stranger !== undefined) return [name, ...stranger]
  }
  return undefined
}

function kept(value: unknown, shape: Shape): unknown {
  if (shape === null || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((inner) => kept(inner, shapeAt(shape, '0') ?? null))
  const known = Object.entries(value).filter(([name]) => shapeAt(shape, name) !== undefined)
  return Object.fromEntries(known.map(([name, inner]) => [name, kept(inner, shapeAt(shape, name) ?? null)]))
}

function shapeAt(shape: NonNullable<Shape>, name: string): Shape | undefined {
  if (Array.isArray(shape)) return shape[0] as Shape
  return Object.hasOwn(shape, name) ? (shape as Record<string, Shape>)[name] : undefined
}
