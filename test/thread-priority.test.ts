// The thread that steps back is the one that asks for it, and no other of the process.

import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'

const nicenesses = () =>
  readdirSync('/proc/self/task').map((thread) => {
    // proc_pid_stat(5): the nineteenth field; the second one, the name, may hold spaces.
    const fields = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
    return Number(fields[16])
  })

it.skipIf(process.platform !== 'linux')('steps back alone', async () => {
  const before = nicenesses().filter((niceness) => niceness === 7).length
  const source = `
    import { parentPort } from 'node:worker_threads'
    import { stepBack } from ${JSON.stringify(new URL('../src/thread-priority.ts', import.meta.url).href)}
    stepBack(7)
    parentPort.postMessage('done')
    setInterval(() => {}, 1000)`
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`))
  try {
    await once(worker, 'message')
    expect(nicenesses().filter((niceness) => niceness === 7)).toHaveLength(before + 1)
  } finally {
    await worker.terminate()
  }
})
