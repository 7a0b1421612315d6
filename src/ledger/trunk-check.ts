// At start: do the trunk and the path index on the disk fit the tree that was just built from the state? Where not (a folder from
// before there were any, entries that are gone), they are made anew at the head, and state can be proven from there on.
import { noneIfDamaged } from './errors.ts'
import { kindRange, pathKey, readStateKey, trunkKey } from './keys.ts'
import type { Operation, Store } from './store.ts'
import type { StateTree } from './tree.ts'
import { sha256 } from './tree-arena.ts'
import {
  decodePage,
  pageOperation,
  pagesRange,
  readPage,
  type TrunkState,
  trunkState,
  trunkStateOperation,
} from './trunk.ts'

/** Entries of one synced write while rebuilding. */
const BATCH_ENTRIES = 10_000

/** Returns whether it had to rebuild. */
export async function ensureTrunk(store: Store, tree: StateTree, head: number, twigLeaves: number): Promise<boolean> {
  const fresh: TrunkState = { base: head, height: head, twigLeaves }
  const stored = trunkState(store.getSync(trunkKey))
  const isCurrent = stored !== undefined && stored.height === fresh.height && stored.twigLeaves === twigLeaves
  if (isCurrent && (await hasPages(store, tree, fresh.height, twigLeaves)) && (await hasPaths(store, tree)))
    return false
  await rebuild(store, tree, fresh)
  return true
}

async function hasPages(store: Store, tree: StateTree, height: number, twigLeaves: number): Promise<boolean> {
  for (const page of tree.pages(twigLeaves)) {
    const { depth, place } = page
    const found = await readPage(store, undefined, { path: place, depth, height }).catch(noneIfDamaged)
    const expected = decodePage(page)
    if (found === undefined) return false
    for (const [child, { kind, hash }] of expected.entries()) {
      if (found[child]!.kind !== kind || !found[child]!.hash.equals(hash)) return false
    }
  }
  return true
}

/** Every leaf's path must be in the index; more may be, of keys that only earlier heights have. */
async function hasPaths(store: Store, tree: StateTree): Promise<boolean> {
  const cursor = store.cursor(kindRange('path'))
  try {
    for (const path of tree.leafPaths()) {
      const expected = pathKey(Buffer.from(path, 'latin1'))
      let entry = await cursor.next()
      while (entry !== undefined && Buffer.compare(entry[0], expected) < 0) entry = await cursor.next()
      if (entry === undefined || !entry[0].equals(expected)) return false
    }
    return true
  } catch (error) {
    // Damage here is mended by rebuilding, so it is no reason to stop.
    noneIfDamaged(error)
    return false
  } finally {
    await cursor.close()
  }
}

/** Until its last write there is no trunk as far as any reader knows, so a rebuild that is cut short starts over. */
async function rebuild(store: Store, tree: StateTree, state: TrunkState): Promise<void> {
  await store.write([{ type: 'del', key: trunkKey }])
  for (const range of [pagesRange(), kindRange('path'), kindRange('stale')]) await store.clear(range)
  await inBatches(store, pathOperations(store))
  await inBatches(store, pageOperations(tree, state))
  await store.write([trunkStateOperation(state)])
}

async function* pathOperations(store: Store): AsyncGenerator<Operation> {
  const cursor = store.cursor(kindRange('state'))
  try {
    for (let entry = await cursor.next(); entry !== undefined; entry = await cursor.next()) {
      const path = Buffer.from(sha256(readStateKey(entry[0])), 'latin1')
      yield { type: 'put', key: pathKey(path), value: entry[0].subarray(1) }
    }
  } finally {
    await cursor.close()
  }
}

function* pageOperations(tree: StateTree, { height, twigLeaves }: TrunkState): Generator<Operation> {
  for (const page of tree.pages(twigLeaves)) yield pageOperation(page, height)
}

async function inBatches(store: Store, operations: AsyncIterable<Operation> | Iterable<Operation>): Promise<void> {
  let batch: Operation[] = []
  for await (const operation of operations) {
    if (batch.push(operation) < BATCH_ENTRIES) continue
    await store.write(batch)
    batch = []
  }
  if (batch.length > 0) await store.write(batch)
}
