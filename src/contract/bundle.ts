/**
 * Bundles a contract's source into the one script the sandbox evaluates. The same source gives the same bytes wherever it
 * lies: no paths, no time stamps, and a bundler version pinned by the lockfile.
 */
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { dirname, extname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BuildFailure, BuildOptions, Message, Plugin } from 'esbuild'

export interface Bundle {
  code: string
  /** Lower-case hex SHA-256 of the code's UTF-8 bytes. */
  codeHash: string
  bytes: number
}

/** A bundle with what finds its TypeScript lines again (positions.ts). The map lies beside the code, because it names paths. */
export interface MappedBundle {
  bundle: Bundle
  /** A source map as JSON text. */
  map: string
  /** What the map's paths are relative to. */
  folder: string
}

/** TypeScript that is in no file: its text, the folder its imports start from, and the name its errors give. */
export interface SourceText {
  source: string
  folder: string
  name: string
}

/** A contract's source could not be bundled; the message names file, line and reason. */
export class BundleError extends Error {
  readonly code: 'SOURCE_NOT_FOUND' | 'SOURCE_INVALID'

  constructor(code: BundleError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The sandbox reads the contract from this global; it is part of the form of every bundle. */
const GLOBAL_NAME = 'quorateContract'
const OUTPUT = 'contract.js'

/** Beside this file, with its own extension: index.ts in the sources, index.js once published. */
export const authoringPackage = fileURLToPath(
  new URL(`./index${extname(fileURLToPath(import.meta.url))}`, import.meta.url),
)

const resolveAuthoringPackage: Plugin = {
  name: 'quorate-contract',
  setup(build) {
    build.onResolve({ filter: /^quorate\/contract$/ }, () => ({ path: authoringPackage }))
  },
}

/** Bundles a folder with an index.ts, or one file. */
export async function bundleContract(path: string): Promise<Bundle> {
  return (await bundleWithMap(path)).bundle
}

/** `define` replaces globals by other names, for a look at the source; what is deployed is made without. */
export async function bundleWithMap(
  from: string | SourceText,
  define: Record<string, string> = {},
): Promise<MappedBundle> {
  const input = typeof from === 'string' ? fileInput(await entryOf(from)) : textInput(from)
  // Loaded here, because only authors bundle: a node that runs contracts never needs the bundler.
  const { build } = await import('esbuild')
  try {
    const { outputFiles } = await build({
      ...input.options,
      absWorkingDir: input.folder,
      bundle: true,
      write: false,
      // Written nowhere; a map that lies beside its code needs to know where that would be.
      outfile: OUTPUT,
      format: 'iife',
      globalName: GLOBAL_NAME,
      platform: 'neutral',
      mainFields: ['module', 'main'],
      target: 'es2023',
      charset: 'utf8',
      // Without white space no path comments are left, which would tell where the source lay.
      minifyWhitespace: true,
      minifySyntax: true,
      minifyIdentifiers: false,
      legalComments: 'none',
      sourcemap: 'external',
      sourcesContent: false,
      // An author's own tsconfig must not change what the bundle does.
      tsconfigRaw: '{}',
      define,
      logLevel: 'silent',
      plugins: [resolveAuthoringPackage],
    })
    const textOf = (name: string) => outputFiles.find(({ path }) => path.endsWith(name))!.text
    const code = textOf(OUTPUT)
    const codeHash = createHash('sha256').update(code, 'utf8').digest('hex')
    const bundle = { code, codeHash, bytes: Buffer.byteLength(code) }
    return { bundle, map: textOf(`${OUTPUT}.map`), folder: input.folder }
  } catch (error) {
    throw new BundleError('SOURCE_INVALID', describeFailure(error, input.entry, input.folder), { cause: error })
  }
}

interface Input {
  /** As errors name it. */
  entry: string
  folder: string
  options: Pick<BuildOptions, 'entryPoints' | 'stdin'>
}

function fileInput(entry: string): Input {
  return { entry, folder: dirname(entry), options: { entryPoints: [entry] } }
}

function textInput({ source, folder, name }: SourceText): Input {
  const stdin = { contents: source, resolveDir: folder, sourcefile: name, loader: 'ts' as const }
  return { entry: resolve(folder, name), folder, options: { stdin } }
}

async function entryOf(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined)
  const entry = resolve(found?.isDirectory() ? join(path, 'index.ts') : path)
  const isFile = found !== undefined && (await stat(entry).catch(() => undefined))?.isFile()
  if (isFile) return entry
  throw new BundleError(
    'SOURCE_NOT_FOUND',
    `${path}: no contract source there; give a folder with index.ts, or one file`,
  )
}

function describeFailure(error: unknown, entry: string, folder: string): string {
  const messages = (error as Partial<BuildFailure>).errors
  if (messages === undefined || messages.length === 0) return `${entry}: ${(error as Error).message}`
  return messages.map((message) => describeMessage(message, entry, folder)).join('\n')
}

function describeMessage({ location, text }: Message, entry: string, folder: string): string {
  if (location === null) return `${entry}: ${text}`
  return `${resolve(folder, location.file)}:${location.line}:${location.column + 1}: ${text}`
}
