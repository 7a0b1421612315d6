// The house rules that a machine can hold: who may import whom, and what the consensus core must not reach for.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const filesIn = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name))
const sources = filesIn('src')
const read = (file: string) => readFileSync(join(root, file), 'utf8')

/** Every module a file names: imports, re-exports, type imports, dynamic imports. */
function importsOf(file: string): string[] {
  return [...read(file).matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1]!)
}

/** The folder below src that a path is in, or its file name when it lies in src itself. */
const roomOf = (path: string) => relative('src', path).split('/')[0]!

/** What each room may import besides itself and what everyone may: FOR_ALL. */
const ALLOWED: Record<string, string[]> = {
  types: [],
  crypto: ['types', 'synced.ts'],
  'limits.ts': ['types'],
  consensus: [],
  network: [],
  mempool: [],
  execution: [],
  ledger: [],
  snapshot: [],
  api: [],
  genesis: [],
  // It tells in words what a ledger holds of a divergence.
  home: ['genesis', 'ledger', 'divergence'],
  divergence: ['execution'],
  light: [],
  client: ['light'],
  // Blocks and a snapshot in one folder, made of a ledger and made into one again.
  backup: ['audit', 'genesis', 'ledger', 'snapshot'],
  // It builds nodes of its own, from the real parts.
  simulator: [
    'consensus',
    'mempool',
    'ledger',
    'network',
    'execution',
    'replica.ts',
    'proposing.ts',
    'intake.ts',
    'inbound.ts',
    'sync.ts',
    'worker-client.ts',
  ],
  // Whole ledgers checked, moved and run again, by the same execution and rules as a node's.
  audit: ['consensus', 'execution', 'ledger', 'executor.ts', 'worker-client.ts'],
  contract: [],
  // What a receipt does not say of a transaction: it runs one by a validator's own code and looks on.
  diagnosis: ['contract', 'execution'],
  // Contracts under test run by a validator's own code, in transactions that its pool and a proposal that its voters would take.
  testing: ['contract', 'diagnosis', 'execution', 'mempool', 'network'],
  cli: [
    'client',
    'light',
    'genesis',
    'home',
    'contract',
    'diagnosis',
    'testing',
    'node.ts',
    'execution',
    'version.ts',
    'api',
    'simulator',
    'ledger',
    'audit',
    'snapshot-home.ts',
    'ledger-swap.ts',
    'backup',
  ],
}
const FOR_ALL = ['types', 'crypto', 'limits.ts', 'synced.ts']

describe.each(Object.keys(ALLOWED))('%s', (room) => {
  it('imports only what it may', () => {
    const allowed = new Set([
      room,
      ...ALLOWED[room]!,
      ...(['types', 'crypto', 'limits.ts'].includes(room) ? [] : FOR_ALL),
    ])
    const strays = sources
      .filter((file) => roomOf(file) === room)
      .flatMap((file) =>
        importsOf(file)
          .filter((name) => name.startsWith('.'))
          .map((name) => roomOf(join(dirname(file), name)))
          .filter((target) => !allowed.has(target))
          .map((target) => `${file} imports ${target}`),
      )
    expect(strays).toEqual([])
  })
})

/** One room per outside library: whoever looks for its traps knows where to look. */
const LIBRARIES: [RegExp, string[]][] = [
  [/^(libp2p|@libp2p\/|@multiformats\/)/, ['network']],
  [/^classic-level$/, ['ledger']],
  [/^quickjs-wasi/, ['execution']],
  [/^(fastify|@fastify\/)/, ['api']],
  [/^(@noble\/|@scure\/|sodium-native)/, ['crypto']],
  [/^commander$/, ['cli']],
  [/^prom-client$/, ['metrics.ts']],
  [/^esbuild$/, ['contract']],
  [/^smol-toml$/, ['home']],
]

describe('outside libraries', () => {
  it.each(LIBRARIES)('%s is used only in its room', (library, rooms) => {
    const strays = sources.filter(
      (file) => importsOf(file).some((name) => library.test(name)) && !rooms.includes(roomOf(file)),
    )
    expect(strays).toEqual([])
  })

  it('are all in package.json, and all of package.json is used', () => {
    const manifest = JSON.parse(read('package.json')) as { dependencies: Record<string, string> }
    const declared = Object.keys(manifest.dependencies)
    const packageOf = (name: string) =>
      name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/')
    const inCode = sources.flatMap((file) => [
      ...importsOf(file),
      ...[...read(file).matchAll(/resolve\('([^']+)'\)/g)].map((match) => match[1]!),
      ...[...read(file).matchAll(/\(import\.meta\.url\)\('([^']+)'\)/g)].map((match) => match[1]!),
    ])
    const used = new Set(inCode.map(packageOf))
    expect(declared.filter((name) => !used.has(name))).toEqual([])
  })
})

describe('the package', () => {
  it('exports only files that there are', () => {
    const manifest = JSON.parse(read('package.json')) as { exports: Record<string, Record<string, string>> }
    const sources = Object.values(manifest.exports).map((entry) => entry['quorate-source']!)
    expect(sources.filter((file) => !existsSync(join(root, file)))).toEqual([])
  })
})

describe('the consensus core', () => {
  const BANNED =
    /\b(Date|Math\.random|setTimeout|setInterval|setImmediate|queueMicrotask|process|console|async|await|Promise|performance|crypto\.)\b/

  it('reaches for no clock, timer, randomness or IO', () => {
    const strays = sources
      .filter((file) => roomOf(file) === 'consensus')
      .flatMap((file) =>
        read(file)
          .split('\n')
          .map((line, index) => [line.replace(/\/\/.*|^\s*\*.*|\/\*.*\*\//g, ''), index + 1] as const)
          .filter(([line]) => BANNED.test(line) || /from 'node:/.test(line))
          .map(([line, number]) => `${file}:${number} ${line.trim()}`),
      )
    expect(strays).toEqual([])
  })
})

describe('every file', () => {
  it('names no folder of the machine it was written on', () => {
    const strays = [...sources, ...filesIn('test'), ...filesIn('contracts'), ...filesIn('templates')].filter((file) =>
      read(file).includes(root),
    )
    expect(strays).toEqual([])
  })
})
