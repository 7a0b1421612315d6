// The asking side of a worker thread: numbered questions, their answers, and an end that rejects whatever is open.
import { once } from 'node:events'
import { Worker, type WorkerOptions } from 'node:worker_threads'

export interface WorkerClient<Question, Answer> {
  ask(question: Question): Promise<Answer>
  /** Questions not answered yet. */
  pending(): number
  /** Lets the worker finish what it has, then ends it. */
  close(): Promise<void>
}

export type WorkerReply<Answer> =
  | { type: 'ready' }
  | { type: 'answer'; number: number; answer: Answer }
  | { type: 'error'; number: number; error: Error }

/** Compiles beside the sources in a checkout and beside dist/ in the published package. */
export function workerFile(name: string, base: string): URL {
  return new URL(base.endsWith('.ts') ? `${name}.ts` : `${name}.js`, base)
}

/** Starts a worker and waits until it says that it is ready; an error on its way there rejects. */
export async function startWorker<Question, Answer>(
  file: URL,
  options: WorkerOptions,
  onFatal: (error: Error) => void,
): Promise<WorkerClient<Question, Answer>> {
  const worker = new Worker(file, options)
  const open = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>()
  let number = 0
  let closed = false
  let lost: Error | undefined

  function failAll(error: Error): void {
    if (lost !== undefined) return
    lost = error
    for (const { reject } of open.values()) reject(error)
    open.clear()
    if (!closed) onFatal(error)
  }

  await new Promise<void>((resolve, reject) => {
    worker.once('error', reject)
    worker.once('message', () => {
      worker.off('error', reject)
      resolve()
    })
  })
  worker.on('message', (reply: WorkerReply<Answer>) => {
    if (reply.type === 'ready') return
    const waiting = open.get(reply.number)
    open.delete(reply.number)
    if (reply.type === 'answer') waiting?.resolve(reply.answer)
    else waiting?.reject(reply.error)
  })
  worker.on('error', failAll)
  worker.on('exit', (code) => failAll(new Error(`a worker thread ended with code ${code}`)))

  return {
    ask(question) {
      if (lost !== undefined) return Promise.reject(lost)
      return new Promise((resolve, reject) => {
        open.set(++number, { resolve, reject })
        worker.postMessage({ number, question })
      })
    },
    pending: () => open.size,
    async close() {
      closed = true
      const exited = once(worker, 'exit')
      worker.postMessage('close')
      await exited
    },
  }
}
