// The answering side of a worker thread: one question at a time, in the order they came.
import { parentPort } from 'node:worker_threads'

/** Answers until the asker closes; `close` then lets go of what the worker holds. */
export function serveWorker<Question, Answer>(
  answer: (question: Question) => Answer | Promise<Answer>,
  close: () => Promise<void>,
): void {
  const port = parentPort
  if (port === null) throw new Error('this file runs as a worker thread')
  let last: Promise<void> = Promise.resolve()

  async function respond(number: number, question: Question): Promise<void> {
    try {
      port?.postMessage({ type: 'answer', number, answer: await answer(question) })
    } catch (error) {
      port?.postMessage({ type: 'error', number, error })
    }
  }

  port.on('message', (message: 'close' | { number: number; question: Question }) => {
    last = last.then(async () => {
      if (message !== 'close') return respond(message.number, message.question)
      await close()
      port.close()
    })
  })
  port.postMessage({ type: 'ready' })
}
