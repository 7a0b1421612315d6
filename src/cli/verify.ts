// `quorate verify`: checks proof bundles, and documents of the HTTP API, without asking anyone.
import type { Proven, TrustedEpoch } from '../light/index.ts'
import { define, type Run } from './command.ts'
import type { Context } from './context.ts'
import { CliError, usage } from './error.ts'
import { readDocumentText } from './genesis-file.ts'
import { readTextFile } from './io.ts'
import { provenDocument, provenText } from './proof-text.ts'
import { hasRepeatedNames } from './repeated-names.ts'
import { genesisHashOption } from './sending.ts'

interface Options {
  genesisHash?: string
  trustedHeader?: string
  genesis?: string
}

export function verifyCommand(run: Run) {
  return define<Options>(run, 'verify <file>', 'check a proof bundle offline; FILE may be `-`', {
    set: (command) =>
      command
        .addOption(genesisHashOption("the network's identity, from whoever you trust to know it"))
        .option('--trusted-header <file>', 'a header you trust, as `quorate block HEIGHT --json` prints it')
        .option('--genesis <file>', 'the genesis document: for documents of the HTTP API, which do not carry it'),
    async handle(context, [file], options) {
      const trusted = await readTrusted(options)
      const bundles = await readJsonDocuments(context, file!)
      let next: number | undefined
      for (const [index, bundle] of bundles.entries()) {
        const proven = await check(bundle, trusted, bundles.length === 1 ? file! : `${file}, document ${index + 1},`)
        context.print(await provenDocument(proven), await provenText(proven))
        if (proven.kind !== 'events') continue
        if (next !== undefined && next !== proven.from) {
          context.note(
            `document ${index + 1} begins with block ${proven.from}, the range before it ended before ${next}`,
          )
        }
        next = proven.to + 1
      }
    },
  })
}

/** What the command line says is true. */
interface Trust {
  /** For bundles, which bring their genesis document. */
  anchor: { genesisHash?: string; header?: unknown }
  /** For documents that do not. */
  genesis: TrustedEpoch | undefined
}

async function readTrusted({ genesisHash, trustedHeader, genesis: file }: Options): Promise<Trust> {
  if (genesisHash === undefined && trustedHeader === undefined && file === undefined) {
    throw usage(
      'nothing was named to trust: add --genesis-hash HASH, as the network’s makers published it, or --trusted-header FILE',
    )
  }
  const genesis = file === undefined ? undefined : await readGenesis(file, genesisHash)
  const header = trustedHeader === undefined ? undefined : await readTrustedHeader(trustedHeader)
  return { anchor: { genesisHash: genesisHash ?? genesis?.genesisHash, header }, genesis }
}

const HEADER_MEND = 'give what `quorate block HEIGHT --json` printed'

/** A block as the command line shows it, or its header alone. */
async function readTrustedHeader(file: string): Promise<unknown> {
  const { readHeader } = await import('../light/index.ts')
  const given = parseJson(file, await readTextFile(file), HEADER_MEND)
  const header = (given as { header?: unknown } | null)?.header ?? given
  try {
    readHeader(header)
  } catch (cause) {
    throw new CliError('HEADER_INVALID', `${file} has no header of a block: ${HEADER_MEND}`, { cause })
  }
  return header
}

async function readGenesis(file: string, genesisHash: string | undefined): Promise<TrustedEpoch> {
  const { trustGenesis } = await import('../light/index.ts')
  const document = parseJson(file, await readTextFile(file), "give the network's genesis.json")
  // As the file has it, or as a node answers.
  return trustGenesis((document as { genesis?: unknown } | null)?.genesis ?? document, genesisHash)
}

async function check(given: unknown, { anchor, genesis }: Trust, name: string): Promise<Proven> {
  const [{ kindOf, verifyBundle, verifyDocument }, { verify }] = await Promise.all([
    import('../light/index.ts'),
    import('../crypto/signer.ts'),
  ])
  const kind = kindOf(given)
  if (kind === undefined) return verifyBundle(given, anchor as { genesisHash: string }, verify)
  if (genesis === undefined || anchor.header !== undefined) {
    const mend = 'name its genesis document with --genesis FILE, or make a bundle with `--prove --json`'
    throw usage(`${name} is a document of the HTTP API, which does not say who the validators are: ${mend}`)
  }
  return verifyDocument(kind, given, genesis, verify)
}

/** One document, or one on each line. */
async function readJsonDocuments({ io }: Context, file: string): Promise<unknown[]> {
  const text = await readDocumentText(io, file)
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  try {
    JSON.parse(text)
  } catch {
    if (lines.length > 1) return lines.map((line) => parseUnambiguous(file, line))
  }
  return [parseUnambiguous(file, text)]
}

function parseUnambiguous(file: string, text: string): unknown {
  const value = parseJson(file, text)
  if (!hasRepeatedNames(text, value)) return value
  throw new CliError(
    'BAD_PROOF',
    `${file} has an object with two members of one name, of which readers may take either: do not believe where it comes from`,
  )
}

const BUNDLE_MEND = 'give what `quorate tx show ID --prove --json` printed'

function parseJson(file: string, text: string, mend = BUNDLE_MEND): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CliError('NOT_JSON', `${file} is not JSON (${(cause as Error).message.slice(0, 100)}): ${mend}`, {
      cause,
    })
  }
}
