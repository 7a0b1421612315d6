// The helper thread of sync-reader.ts: opens the folder, answers questions into shared memory, one after the other.
import { parentPort, workerData } from 'node:worker_threads'
import { errorToData } from './errors.ts'
import { claim } from './format.ts'
import { createStateView } from './history.ts'
import { stateKey } from './keys.ts'
import { openStore, type Store } from './store.ts'
import { type Asked, HEAD_BYTES, type Opened, type Question, type WorkerOptions, words } from './sync-reader.ts'

const port = parentPort!
const { directory, genesisHash, shared } = workerData as WorkerOptions
const head = new Int32Array(shared, 0, words.count)
const data = Buffer.from(shared, HEAD_BYTES)
let answer = Buffer.alloc(0)

try {
  const store = await openStore(directory)
  await claim(store, directory, genesisHash)
  serve(store)
  port.postMessage({ opened: true } satisfies Opened)
} catch (error) {
  port.postMessage({ opened: false, error: errorToData(error, 0) } satisfies Opened)
}

function serve(store: Store): void {
  let busy: Promise<void> = Promise.resolve()
  port.on('message', (message: Asked | 'close') => {
    busy = busy.then(() => (message === 'close' ? close(store) : respond(store, message)))
  })
}

async function close(store: Store): Promise<void> {
  await store.close()
  port.close()
}

async function respond(store: Store, { number, question }: Asked): Promise<void> {
  if (question.kind === 'more') return send(number, question.offset)
  try {
    const value = question.kind === 'get' ? await get(store, question) : await scan(store, question)
    answer = Buffer.from(value === undefined ? '' : JSON.stringify(value), 'utf8')
    head[words.failed] = 0
  } catch (error) {
    const height = question.height === 'latest' ? 0 : question.height
    answer = Buffer.from(JSON.stringify(errorToData(error, height)), 'utf8')
    head[words.failed] = 1
  }
  send(number, 0)
}

function send(number: number, offset: number): void {
  head[words.total] = answer.length
  head[words.piece] = answer.copy(data, 0, offset)
  Atomics.store(head, words.answered, number)
  Atomics.notify(head, words.answered)
}

async function get(store: Store, { height, key }: Question & { kind: 'get' }): Promise<string | undefined> {
  if (height === 'latest') return store.getSync(stateKey(key))?.toString('utf8')
  return createStateView(store, height).get(key)
}

const scan = (store: Store, { height, prefix, after, limit }: Question & { kind: 'scan' }) =>
  createStateView(store, height === 'latest' ? undefined : height).scan(prefix, after, limit)
