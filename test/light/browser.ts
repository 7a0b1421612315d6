// A page in a real headless Chromium: `quorate/light` as a browser gets it, given bundles, says what it makes of them.
import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { build } from 'esbuild'
import type { ProofBundle } from '../../src/light/index.ts'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']

/** The browser's path; undefined where there is none. */
export function findBrowser(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find((file) => {
    try {
      accessSync(file, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** A package of ours for browsers: one file, minified, nothing left to be found elsewhere; and the sources it is made of. */
export async function bundleForBrowsers(name: 'light' | 'client'): Promise<{ code: string; inputs: string[] }> {
  const { outputFiles, metafile } = await build({
    entryPoints: [new URL(`../../src/${name}/index.ts`, import.meta.url).pathname],
    metafile: true,
    bundle: true,
    minify: true,
    write: false,
    platform: 'browser',
    format: 'esm',
    logLevel: 'silent',
  })
  return { code: outputFiles[0]!.text, inputs: Object.keys(metafile.inputs) }
}

export interface Verdict {
  /** What is proven, in short, or why it is refused. */
  proven?: { kind: string; height: number; value?: string }
  reason?: string
  /** Of `rounds` verifications, on the clock: the one in the middle, and the one of the first tenth. */
  medianMs: number
  fastestMs: number
}

export interface Question {
  bundles: Record<string, ProofBundle>
  genesisHash: string
  rounds: number
}

const PAGE = `<!doctype html><title>light</title><script type="module">
import { verifyBundle } from '/light.js'
const { bundles, genesisHash, rounds } = await (await fetch('/question')).json()
const verdicts = {}
for (const [name, bundle] of Object.entries(bundles)) {
  const times = []
  let verdict
  for (let round = 0; round < rounds; round++) {
    const start = performance.now()
    try {
      const { kind, height, value } = verifyBundle(bundle, { genesisHash })
      verdict = { proven: { kind, height, value } }
    } catch (error) {
      verdict = { reason: error.code + ': ' + error.message }
    }
    times.push(performance.now() - start)
  }
  times.sort((a, b) => a - b)
  verdicts[name] = { ...verdict, medianMs: times[times.length >> 1], fastestMs: times[Math.floor(times.length / 10)] }
}
await fetch('/verdicts', { method: 'POST', body: JSON.stringify(verdicts) })
</script>`

const TIMEOUT_MS = 60_000

/** Shows the page to the browser and gives what it posts back. */
export async function askBrowser(browser: string, question: Question): Promise<Record<string, Verdict>> {
  const { code } = await bundleForBrowsers('light')
  const files: Record<string, [type: string, text: string]> = {
    '/': ['text/html', PAGE],
    '/light.js': ['text/javascript', code],
    '/question': ['application/json', JSON.stringify(question)],
  }
  let answer: (verdicts: Record<string, Verdict>) => void
  const answered = new Promise<Record<string, Verdict>>((resolve) => {
    answer = resolve
  })
  const server = createServer(async (request, response) => {
    if (request.method === 'POST') {
      let body = ''
      for await (const chunk of request) body += chunk
      response.end()
      return answer(JSON.parse(body) as Record<string, Verdict>)
    }
    const [type, text] = files[request.url!] ?? ['text/plain', '']
    response.writeHead(type === 'text/plain' ? 404 : 200, { 'content-type': type }).end(text)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const folder = await mkdtemp(join(tmpdir(), 'quorate-browser-'))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const child = start(browser, folder, url)
  try {
    return await Promise.race([answered, failure(child)])
  } finally {
    await stop(child)
    server.closeAllConnections()
    server.close()
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }
}

/** No sandbox: its kernel features are missing in many containers, and the page is our own. Its own process group, to stop all of it. */
function start(browser: string, folder: string, url: string): ChildProcess {
  const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run']
  const quiet = [
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--disable-extensions',
  ]
  return spawn(browser, [...flags, ...quiet, `--user-data-dir=${folder}`, url], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, HOME: folder },
  })
}

function failure(child: ChildProcess): Promise<never> {
  let text = ''
  child.stderr!.on('data', (chunk) => {
    text = (text + chunk).slice(-4_000)
  })
  return new Promise((_, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`the browser ended with code ${code}: ${text}`)))
    setTimeout(() => reject(new Error(`no verdict within ${TIMEOUT_MS} ms: ${text}`)), TIMEOUT_MS).unref()
  })
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  process.kill(-child.pid, 'SIGKILL')
  await ended
}
