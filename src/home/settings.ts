// The one table of a node's settings. config.toml's text, its checks, the environment's names and the flags all come from it.
import { NAME } from '../genesis/shape.ts'
import { API_BODY_BYTES_MAX, SNAPSHOTS_KEPT, STATE_HISTORY_BLOCKS } from '../limits.ts'
import { choice, flag, list, number, type Setting, text } from './setting.ts'

const HOST = /^[A-Za-z0-9:.-]{1,253}$/
const MULTIADDR = /^\/(ip4|ip6|dns|dns4|dns6)\/[^/\s]+\/tcp\/\d{1,5}(\/p2p\/[A-Za-z0-9]+)?$/
const multiaddrs = 'addresses like /ip4/192.0.2.1/tcp/4700'

export const NODE_NAME = NAME
export const nodeNames = '1 to 64 letters, digits, dots, underscores and hyphens, a letter or digit first'

/** By section; the section `node` stands at the top of the file, without a heading. */
export const SETTINGS = {
  node: {
    name: text('node', NODE_NAME, nodeNames, 'What this node is called in logs, metrics and tables.'),
  },
  api: {
    host: text('127.0.0.1', HOST, 'a host name or IP address', 'The address the HTTP API listens on; 0.0.0.0 for all.'),
    port: number(4600, 0, 65_535, 'port', 'The port the HTTP API listens on; 0 takes any that is free.'),
    bodyBytesMax: number(API_BODY_BYTES_MAX, 1_024, 64 * 1024 * 1024, 'bytes', 'The largest request body taken.'),
    connectionsMax: number(1_024, 1, 65_535, 'connections', 'The most connections open at a time.'),
    eventStreamsMax: number(256, 0, 65_535, 'streams', 'The most event streams open at a time.'),
  },
  p2p: {
    listen: list(['/ip4/127.0.0.1/tcp/4700'], MULTIADDR, 1, multiaddrs, 'Where other nodes reach this one.'),
    announce: list(
      [],
      MULTIADDR,
      0,
      multiaddrs,
      'What other nodes are told to dial instead, behind address translation. Empty: the addresses listened on.',
    ),
    bootstrap: list(
      [],
      MULTIADDR,
      0,
      `${multiaddrs}/p2p/ID`,
      'Nodes dialed first and always again. One that is up suffices to find the rest.',
    ),
    mdns: flag(true, 'Whether nodes on the same local network find one another by multicast DNS.'),
  },
  log: {
    level: choice(
      'info',
      ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
      'What is logged: this level and those after it of trace, debug, info, warn, error, fatal; or silent.',
    ),
  },
  workers: {
    verifiers: number(1, 1, 64, 'threads', 'Threads that check signatures of transactions.'),
  },
  backup: {
    intervalMinutes: number(0, 0, 28_800, 'minutes', 'Between two scheduled backups; 0 makes none.'),
    fullEvery: number(
      7,
      1,
      1_000,
      'backups',
      'Of so many scheduled backups the first is full, the others hold what came since the one before.',
    ),
    keep: number(
      2,
      1,
      1_000,
      'chains',
      'How many full backups are kept with all that continue them; older ones are removed after a scheduled backup.',
    ),
  },
  ledger: {
    historyBlocks: number(
      STATE_HISTORY_BLOCKS,
      1,
      1_000_000_000,
      'blocks',
      'How far behind the newest block past state can be read.',
    ),
    snapshots: number(
      SNAPSHOTS_KEPT,
      0,
      16,
      'snapshots',
      'How many state snapshots are kept for nodes that join by one. 0: none is made.',
    ),
    joinBySnapshot: flag(
      true,
      'Whether this node, when it is far behind, fetches a snapshot of the state instead of every block; older blocks are then gone here.',
    ),
    keepBlocks: number(
      0,
      0,
      1_000_000_000,
      'blocks',
      'How many whole blocks are kept behind the newest; 0 keeps all. At least historyBlocks, and one snapshot interval more than snapshots.',
    ),
  },
} as const

type Sections = typeof SETTINGS
type ValueOf<S> = S extends Setting<infer T> ? T : never
type SectionConfig<S> = { -readonly [K in keyof S]: ValueOf<S[K]> }
/** A node's settings, each with its value. */
export type Config = { -readonly [S in keyof Sections]: SectionConfig<Sections[S]> }

/** `name`, `api.port`: how config.toml, flags and messages call a setting. */
export type SettingPath = {
  [S in keyof Sections]: S extends 'node' ? keyof Sections[S] & string : `${S}.${keyof Sections[S] & string}`
}[keyof Sections]

export interface SettingEntry {
  section: keyof Sections
  key: string
  path: SettingPath
  /** The environment variable that overrides it. */
  variable: string
  setting: Setting<unknown>
}

export const SETTING_ENTRIES: readonly SettingEntry[] = Object.entries(SETTINGS).flatMap(([section, settings]) =>
  Object.entries(settings).map(([key, setting]) => {
    const path = section === 'node' ? key : `${section}.${key}`
    const variable = `QUORATE_${path
      .replace('.', '_')
      .replace(/[A-Z]/g, (letter) => `_${letter}`)
      .toUpperCase()}`
    return { section, key, path, variable, setting } as SettingEntry
  }),
)
