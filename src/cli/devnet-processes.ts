// The nodes of a devnet as processes: started together, watched, and stopped each by its own process id.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { type DevnetNode, p2pAddressOf } from './devnet-folder.ts'
import { CliError } from './error.ts'

export interface Processes {
  isRunning(name: string): boolean
  /** Resolves when no node is left. */
  readonly allGone: Promise<'all gone'>
  /** Stops every node; gives the names of those that had to be killed. */
  stop(): Promise<string[]>
}

const STOP_MS = 10_000
const LOG_LINES = 5
const LOG_TAIL_BYTES = 16 * 1024
/**
 * Where Node keeps what it compiled: halves the processor time of every start but the first. It lies within the package, so that
 * whoever could put code there could change the package itself.
 */
const COMPILED = fileURLToPath(new URL('../../node_modules/.cache/quorate', import.meta.url))
const ENTRY = fileURLToPath(new URL('../../bin/quorate.js', import.meta.url))

/** Starts every node. One that ends by itself is reported with the end of its log; the others go on. */
export async function startProcesses(nodes: DevnetNode[], report: (message: string) => void): Promise<Processes> {
  const addresses = await Promise.all(nodes.map(p2pAddressOf))
  const running = new Map<string, ChildProcess>()
  let isStopping = false
  let onGone: (value: 'all gone') => void
  const allGone = new Promise<'all gone'>((resolve) => {
    onGone = resolve
  })

  function start(node: DevnetNode, index: number): void {
    const child = spawnNode(
      node,
      addresses.filter((_, other) => other !== index),
    )
    running.set(node.name, child)
    const onEnd = (how: string) => {
      if (!running.delete(node.name)) return
      if (!isStopping)
        void lastLines(node.log).then((lines) =>
          report(`${node.name} ended by itself (${how}); the end of ${node.log}:\n${lines}`),
        )
      if (running.size === 0) onGone('all gone')
    }
    child.once('exit', (code, signal) => onEnd(signal === null ? `exit code ${code}` : `signal ${signal}`))
    child.once('error', (error) => onEnd(error.message))
  }

  nodes.forEach(start)
  return {
    isRunning: (name) => running.has(name),
    allGone,
    async stop() {
      isStopping = true
      const killed: string[] = []
      await Promise.all(
        [...running].map(async ([name, child]) => {
          if (!(await stopChild(child))) killed.push(name)
        }),
      )
      return killed
    },
  }
}

/** The settings by which a node of a devnet starts, as arguments of `quorate start`. */
export function settingFlags(node: DevnetNode, bootstrap: string[]): string[] {
  const settings = {
    'api.host': '127.0.0.1',
    'api.port': node.apiPort,
    'p2p.listen': `/ip4/127.0.0.1/tcp/${node.p2pPort}`,
    'p2p.bootstrap': bootstrap.join(','),
    // Nodes of one machine know each other; other networks on it are none of theirs.
    'p2p.mdns': 'false',
  }
  return Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`])
}

/**
 * In the devnet's own session: Linux shares the processor out between sessions first (sched(7), "The autogroup feature"), and in one
 * of its own an executor's niceness would make no room for the other nodes' votes. With its channel, a node leaves Ctrl-C to the
 * devnet, which stops its nodes in order.
 */
function spawnNode(node: DevnetNode, bootstrap: string[]): ChildProcess {
  const flags = settingFlags(node, bootstrap)
  const log = openSync(node.log, 'a')
  try {
    const args = [ENTRY, 'start', '--home', node.home, ...flags]
    const env = { ...process.env, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? COMPILED }
    return spawn(process.execPath, args, { stdio: ['ignore', log, log, 'ipc'], env })
  } finally {
    closeSync(log)
  }
}

/** False where it had to be killed. */
function stopChild(child: ChildProcess): Promise<boolean> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(true)
  return new Promise((resolve) => {
    let isKilled = false
    const timer = setTimeout(() => {
      isKilled = true
      child.kill('SIGKILL')
    }, STOP_MS)
    child.once('exit', () => {
      clearTimeout(timer)
      resolve(!isKilled)
    })
    child.kill('SIGTERM')
  })
}

/** Told before anything is made or started: a node that finds its port taken has already opened its ledger. */
export async function refusePortsInUse(nodes: DevnetNode[]): Promise<void> {
  await Promise.all(nodes.flatMap(({ apiPort, p2pPort }) => [apiPort, p2pPort]).map(refusePortInUse))
}

function refusePortInUse(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const mend = 'stop the program that has it, or choose another --port'
      const reason = cause.code === 'EADDRINUSE' ? 'is in use' : `cannot be used (${cause.code})`
      reject(new CliError('PORT_IN_USE', `port ${port} on 127.0.0.1 ${reason}: ${mend}`, { cause }))
    })
    server.listen(port, '127.0.0.1', () => server.close(() => resolve()))
  })
}

/** The end of a log file. */
export async function lastLines(path: string): Promise<string> {
  const file = await open(path, 'r').catch(() => undefined)
  if (file === undefined) return '(no log)'
  try {
    const { size } = await file.stat()
    const buffer = Buffer.alloc(Math.min(size, LOG_TAIL_BYTES))
    await file.read(buffer, 0, buffer.length, size - buffer.length)
    return buffer.toString('utf8').trimEnd().split('\n').slice(-LOG_LINES).join('\n')
  } finally {
    await file.close()
  }
}
