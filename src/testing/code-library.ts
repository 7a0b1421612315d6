// The code under test and the source maps made beside it.
import { fileURLToPath } from 'node:url'
import { bundleWithMap } from '../contract/bundle.ts'
import { createPositions, type Positions } from '../contract/positions.ts'

/**
 * Where a contract comes from: a path (from the working directory) or URL of a folder with index.ts or of one file; TypeScript as
 * text, whose imports start from the working directory; or a bundle as `quorate contract build` made it, which has no source map.
 */
export type ContractSource = string | URL | { source: string } | { code: string }

export interface CodeLibrary {
  /** The script to deploy. Throws BundleError. */
  load(source: ContractSource, name: string): Promise<string>
  /** By the code's hash; undefined for code that came as a bundle. */
  positionsOf(codeHash: string): Positions | undefined
}

export function createCodeLibrary(): CodeLibrary {
  const positions = new Map<string, Positions>()
  return {
    async load(source, name) {
      if (typeof source === 'object' && 'code' in source) return source.code
      const mapped = await bundleWithMap(inputOf(source, name))
      positions.set(mapped.bundle.codeHash, createPositions(mapped))
      return mapped.bundle.code
    },
    positionsOf: (codeHash) => positions.get(codeHash),
  }
}

function inputOf(source: string | URL | { source: string }, name: string) {
  if (typeof source === 'string') return source
  if (source instanceof URL) return fileURLToPath(source)
  return { source: source.source, folder: process.cwd(), name: `${name}.ts` }
}
