/** Contract images in memory by code hash: least recently used ones are dropped when their bytes pass the bound. */
import type { Image } from './image.ts'
import type { ContractShape } from './types.ts'

export interface LoadedContract {
  image: Image
  shape: ContractShape
}

/** Where the bytes of images outlast memory. It may lose or spoil what it was given at any time, and throws nothing. */
export interface ImageStore {
  get(codeHash: string): Uint8Array | undefined
  put(codeHash: string, bytes: Uint8Array): void
}

export interface ImageCache {
  get(codeHash: string): LoadedContract | undefined
  put(codeHash: string, contract: LoadedContract): void
}

export function createImageCache(bytesMax: number): ImageCache {
  const contracts = new Map<string, LoadedContract>()
  let bytes = 0
  return {
    get(codeHash) {
      const found = contracts.get(codeHash)
      if (found === undefined) return undefined
      // A map iterates in order of insertion, so inserting again makes it the newest.
      contracts.delete(codeHash)
      contracts.set(codeHash, found)
      return found
    },
    put(codeHash, contract) {
      if (contracts.has(codeHash)) return
      contracts.set(codeHash, contract)
      bytes += contract.image.bytes.length
      for (const [oldest, dropped] of contracts) {
        if (bytes <= bytesMax || oldest === codeHash) break
        contracts.delete(oldest)
        bytes -= dropped.image.bytes.length
      }
    },
  }
}
