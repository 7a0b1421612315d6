// A folder in which `quorate` and `vitest` are installed, without a network: what npm install would bring is linked from here.
import { execFile } from 'node:child_process'
import { cp, mkdir, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

export interface Ran {
  code: number
  output: string
}

/** A program's exit code and all it printed. */
export async function ran(
  program: string,
  args: string[],
  cwd: string,
  environment: Record<string, string> = {},
): Promise<Ran> {
  const { PATH, HOME, NODE_COMPILE_CACHE } = process.env
  const quiet = { NO_COLOR: '1', npm_config_update_notifier: 'false', npm_config_offline: 'true' }
  const env = { PATH: `${dirname(process.execPath)}:${PATH}`, HOME, NODE_COMPILE_CACHE, ...quiet, ...environment }
  const ending = await run(program, args, { cwd, env }).catch((error) => error)
  return { code: ending.code ?? 0, output: `${ending.stdout}${ending.stderr}` }
}

/** `install` puts quorate itself into the folder's node_modules. */
export async function link(folder: string, install: (modules: string) => Promise<void>): Promise<void> {
  const modules = join(folder, 'node_modules')
  await mkdir(join(modules, '.bin'), { recursive: true })
  await install(modules)
  await symlink(join(root, 'node_modules/vitest'), join(modules, 'vitest'))
  await symlink('../vitest/vitest.mjs', join(modules, '.bin/vitest'))
  await symlink('../quorate/bin/quorate.js', join(modules, '.bin/quorate'))
}

/** What npm makes of a dependency on this checkout. */
export const linkCheckout = (modules: string): Promise<void> => symlink(root, join(modules, 'quorate'))

/** The package as it is published, with this checkout's dependencies. */
export async function installPackage(modules: string): Promise<void> {
  const target = join(modules, 'quorate')
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  await run(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', join(target, 'dist')], { cwd: root })
  for (const part of ['package.json', 'bin', 'templates'])
    await cp(join(root, part), join(target, part), { recursive: true })
  await symlink(join(root, 'node_modules'), join(target, 'node_modules'))
}
