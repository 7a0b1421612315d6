/**
 * Bundles a contract's source into the one script the sandbox evaluates. The same source gives the same bytes wherever it
 * lies: no paths, no time stamps, and a bundler version pinned by the lockfile.
 */
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { dirname, extname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BuildFailure, Message, Plugin } from 'esbuild'

export interface Bundle {
  code: string
  /** Lower-case hex SHA-256 of the code's UTF-8 bytes. */
  codeHash: string
  bytes: number
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

/** Beside this file, with its own extension: index.ts in the sources, index.js once published. */
const authoringPackage = fileURLToPath(new URL(`./index${extname(fileURLToPath(import.meta.url))}`, import.meta.url))

const resolveAuthoringPackage: Plugin = {
  name: 'quorate-contract',
  setup(build) {
    build.onResolve({ filter: /^quorate\/contract$/ }, () => ({ path: authoringPackage }))
  },
}

/** Bundles a folder with an index.ts, or one file. */
export async function bundleContract(path: string): Promise<Bundle> {
  const entry = await entryOf(path)
  // Loaded here, because only authors bundle: a node that runs contracts never needs the bundler.
  const { build } = await import('esbuild')
  try {
    const { outputFiles } = await build({
      entryPoints: [entry],
      absWorkingDir: dirname(entry),
      bundle: true,
      write: false,
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
      sourcemap: false,
      // An author's own tsconfig must not change what the bundle does.
      tsconfigRaw: '{}',
      logLevel: 'silent',
      plugins: [resolveAuthoringPackage],
    })
    const code = outputFiles[0]!.text
    const codeHash = createHash('sha256').update(code, 'utf8').digest('hex')
    return { code, codeHash, bytes: Buffer.byteLength(code) }
  } catch (error) {
    throw new BundleError('SOURCE_INVALID', describeFailure(error, entry), { cause: error })
  }
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

function describeFailure(error: unknown, entry: string): string {
  const messages = (error as Partial<BuildFailure>).errors
  if (messages === undefined || messages.length === 0) return `${entry}: ${(error as Error).message}`
  return messages.map((message) => describeMessage(message, entry)).join('\n')
}

function describeMessage({ location, text }: Message, entry: string): string {
  if (location === null) return `${entry}: ${text}`
  return `${resolve(dirname(entry), location.file)}:${location.line}:${location.column + 1}: ${text}`
}
