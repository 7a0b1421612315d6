/** Makes the folder of a new contract from templates/contract: it builds, tests and deploys as it is. */
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder cannot be made; the message says why and what to do. */
export class ScaffoldError extends Error {
  readonly code = 'FOLDER_EXISTS'
}

const packageFolder = fileURLToPath(new URL('../..', import.meta.url))
const TEMPLATES = ['index.ts', 'index.test.ts', 'README.md']
const TEMPLATE_NAME = /my-contract/g

/** What of quorate's own package.json a new contract's is made of. */
interface Manifest {
  version: string
  engines: { node: string }
  devDependencies: { vitest: string }
}

/** Gives the names of the files made. The name is one that a contract may have. */
export async function createContractFolder(name: string, folder: string): Promise<string[]> {
  const target = resolve(folder)
  const files = { ...(await templateFiles(name)), ...(await projectFiles(name, target)) }
  await mkdir(dirname(target), { recursive: true })
  await mkdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
    throw new ScaffoldError(
      `${folder} is there already, and nothing is overwritten: choose another name, another --dir, or remove it`,
    )
  })
  for (const [file, text] of Object.entries(files)) await writeFile(join(target, file), text)
  return Object.keys(files)
}

async function templateFiles(name: string): Promise<Record<string, string>> {
  const texts = TEMPLATES.map(async (file) => {
    const text = await readFile(join(packageFolder, 'templates/contract', file), 'utf8')
    return [file, text.replace(TEMPLATE_NAME, name)]
  })
  return Object.fromEntries(await Promise.all(texts))
}

async function projectFiles(name: string, target: string): Promise<Record<string, string>> {
  const manifest = JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8')) as Manifest
  // A checkout is what it is linked as; a published package has no sources.
  const checkout = existsSync(join(packageFolder, 'src')) ? relativePath(target, packageFolder) : undefined
  return {
    'package.json': json({
      // A contract may be called like one of its dependencies; its package may not.
      name: `${name}-contract`,
      version: '0.1.0',
      private: true,
      type: 'module',
      scripts: { test: 'vitest run', build: 'quorate contract build .' },
      dependencies: { quorate: checkout === undefined ? `^${manifest.version}` : `file:${checkout}` },
      devDependencies: { vitest: manifest.devDependencies.vitest },
      engines: { node: manifest.engines.node },
    }),
    ...(checkout === undefined ? { 'tsconfig.json': json(TSCONFIG) } : checkoutFiles(checkout)),
  }
}

const TSCONFIG = {
  compilerOptions: {
    target: 'es2023',
    lib: ['es2023', 'dom'],
    module: 'preserve',
    types: [],
    strict: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    noEmit: true,
  },
  include: ['*.ts'],
}

/** A checkout has no build: its entry points are its TypeScript sources, under a condition of their own. */
function checkoutFiles(checkout: string): Record<string, string> {
  return {
    'tsconfig.json': json({
      extends: `${checkout}/tsconfig.json`,
      compilerOptions: { typeRoots: [`${checkout}/node_modules/@types`] },
      include: ['*.ts'],
    }),
    'vitest.config.ts': `import { defineConfig } from 'vitest/config'

// quorate is a checkout here, whose entry points are its sources.
const conditions = ['quorate-source', 'node']

export default defineConfig({ resolve: { conditions }, ssr: { resolve: { conditions } } })
`,
  }
}

/** With slashes, and with a dot in front, as package.json and tsconfig.json take it. */
function relativePath(from: string, to: string): string {
  const path = relative(from, to).split(sep).join('/')
  return path.startsWith('.') ? path : `./${path}`
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`
