// Hosts as Linux makes them: a network namespace each, joined by a bridge that this process has an address on. Root only.
import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)
const ip = (...args: string[]) => run('ip', args)

export interface Hosts {
  address(index: number): string
  /** What runs a command on that host. */
  prefix(index: number): string[]
  /** Pulls or plugs the host's cable. */
  link(index: number, state: 'up' | 'down'): Promise<void>
  close(): Promise<void>
}

/** Why there can be no namespaces here, or undefined. */
export function namespacesFault(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are Linux only'
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  const probe = `quorate-probe-${process.pid}`
  try {
    execFileSync('ip', ['netns', 'add', probe], { stdio: 'pipe' })
    execFileSync('ip', ['netns', 'del', probe], { stdio: 'pipe' })
    return undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'there is no `ip`: install the package iproute2'
    return `\`ip netns\` does not work here: ${(error as Error).message.trim()}`
  }
}

export async function createHosts(count: number): Promise<Hosts> {
  // Interface names have 15 characters at most. Benchmark addresses (RFC 2544): nobody's network.
  const tag = process.pid.toString(36)
  const bridge = `qb${tag}`
  const subnet = `198.18.${process.pid % 256}`
  const name = (index: number) => `quorate-${tag}-${index}`
  const outside = (index: number) => `qv${tag}-${index}`
  const inside = (index: number) => `qn${tag}-${index}`
  const address = (index: number) => `${subnet}.${index + 1}`
  const indexes = Array.from({ length: count }, (_, index) => index)

  async function close(): Promise<void> {
    // A pair of interfaces goes with the namespace that holds one of them, a while later; by name it goes now.
    for (const index of indexes) {
      await ip('link', 'del', outside(index)).catch(() => {})
      await ip('netns', 'del', name(index)).catch(() => {})
    }
    await ip('link', 'del', bridge).catch(() => {})
  }

  async function plug(index: number): Promise<void> {
    await ip('netns', 'add', name(index))
    await ip('link', 'add', outside(index), 'type', 'veth', 'peer', 'name', inside(index), 'netns', name(index))
    await ip('link', 'set', outside(index), 'master', bridge)
    await ip('link', 'set', outside(index), 'up')
    const within = (...args: string[]) => ip('-n', name(index), ...args)
    await within('link', 'set', 'lo', 'up')
    await within('addr', 'add', `${address(index)}/24`, 'dev', inside(index))
    await within('link', 'set', inside(index), 'up')
  }

  await removeLeftovers()
  try {
    await ip('link', 'add', bridge, 'type', 'bridge')
    await ip('addr', 'add', `${subnet}.254/24`, 'dev', bridge)
    await ip('link', 'set', bridge, 'up')
    for (const index of indexes) await plug(index)
  } catch (error) {
    await close()
    throw error
  }
  return {
    address,
    prefix: (index) => ['ip', 'netns', 'exec', name(index)],
    async link(index, state) {
      await ip('link', 'set', outside(index), state)
    },
    close,
  }
}

/** Those of a test that was killed before it could tidy up: their names say which process made them. */
async function removeLeftovers(): Promise<void> {
  const names = async (...args: string[]) => (await ip('-json', ...args)).stdout.trim() || '[]'
  const found = [
    ...(JSON.parse(await names('netns', 'list')) as { name: string }[]).map(({ name }) => ['netns', name]),
    ...(JSON.parse(await names('link', 'show', 'type', 'bridge')) as { ifname: string }[]).map(({ ifname }) => [
      'link',
      ifname,
    ]),
  ] as [kind: string, name: string][]
  for (const [kind, name] of found) {
    const tag = /^(?:quorate-([0-9a-z]+)-\d+|qb([0-9a-z]+))$/.exec(name)
    if (tag !== null && !isAlive(Number.parseInt(tag[1] ?? tag[2]!, 36))) await ip(kind, 'del', name).catch(() => {})
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
