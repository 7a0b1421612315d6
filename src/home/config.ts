// A node's configuration: config.toml, overridden by QUORATE_* environment variables, overridden by flags. Everything wrong in all
// three is said at once; a name nobody knows is an error, since a mistyped setting would silently stay at its default.
import { parse, stringify, TomlError } from 'smol-toml'
import { unknownNameMend } from '../genesis/nearest.ts'
import { HomeError } from './error.ts'
import { fromText } from './setting.ts'
import { type Config, SETTING_ENTRIES, type SettingEntry, type SettingPath } from './settings.ts'

export type { Config, SettingPath } from './settings.ts'

/** Values by the setting's path, as texts or as what they are. */
export type Overrides = Partial<Record<SettingPath, unknown>>

export interface ConfigSources {
  /** The text of config.toml, and what to call it in messages. */
  text?: string
  file?: string
  environment?: Record<string, string | undefined>
  flags?: Overrides
}

/** A value on its way in, and where it comes from. */
interface Given {
  value: unknown
  source: string
}

/** Variables of the command line and the shell, which are no settings of a node. */
const SECTION_PREFIXES = [...new Set(SETTING_ENTRIES.flatMap(({ path }) => path.split('.').slice(0, -1)))].map(
  (section) => `QUORATE_${section.toUpperCase()}_`,
)
const BY_PATH = new Map<string, SettingEntry>(SETTING_ENTRIES.map((entry) => [entry.path, entry]))

/** The whole configuration. Throws a HomeError `CONFIG_INVALID` that lists every fault. */
export function readConfig({ text = '', file = 'config.toml', environment = {}, flags = {} }: ConfigSources): Config {
  const given = new Map<string, Given>()
  const faults: string[] = []
  readToml(text, file, given, faults)
  readEnvironment(environment, given, faults)
  for (const [path, value] of Object.entries(flags)) {
    if (value === undefined) continue
    const entry = BY_PATH.get(path)
    if (entry === undefined)
      faults.push(`the flag ${path} is no setting: ${unknownNameMend(path, [...BY_PATH.keys()])}`)
    else given.set(path, { value: asValue(entry, value), source: `the flag for ${path}` })
  }
  const config = assemble(given, faults)
  if (faults.length === 0) return config
  throw new HomeError('CONFIG_INVALID', `The configuration cannot be used: ${faults.join('; ')}.`)
}

function readToml(text: string, file: string, given: Map<string, Given>, faults: string[]): void {
  let tables: Record<string, unknown>
  try {
    tables = parse(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const reason = error.message.split('\n')[0]
    faults.push(`${file} is not TOML at line ${error.line}, column ${error.column} (${reason}): mend it there`)
    return
  }
  const visit = (path: string, value: unknown): void => {
    const isSection = SETTING_ENTRIES.some((entry) => entry.path.startsWith(`${path}.`))
    if (isSection && isTable(value)) {
      for (const [key, inner] of Object.entries(value)) visit(`${path}.${key}`, inner)
    } else if (BY_PATH.has(path)) {
      given.set(path, { value, source: file })
    } else if (isSection) {
      faults.push(`${path} in ${file} is a section: write [${path}] and its settings below`)
    } else {
      faults.push(`${path} in ${file} is no setting: ${unknownPathMend(path, isTable(value))}`)
    }
  }
  for (const [key, value] of Object.entries(tables)) visit(key, value)
}

function unknownPathMend(path: string, isSection: boolean): string {
  const paths = [...BY_PATH.keys()]
  const sections = [...new Set(paths.flatMap((known) => known.split('.').slice(0, -1)))]
  if (isSection) return unknownNameMend(path, sections)
  const [section] = path.split('.')
  const near = path.includes('.') ? paths.filter((known) => known.startsWith(`${section}.`)) : paths
  return unknownNameMend(path, near)
}

function readEnvironment(environment: ConfigSources['environment'], given: Map<string, Given>, faults: string[]): void {
  const byVariable = new Map(SETTING_ENTRIES.map((entry) => [entry.variable, entry]))
  for (const [name, value] of Object.entries(environment!)) {
    const entry = byVariable.get(name)
    if (value === undefined) continue
    if (entry !== undefined)
      given.set(entry.path, { value: asValue(entry, value), source: `the environment's ${name}` })
    else if (SECTION_PREFIXES.some((prefix) => name.startsWith(prefix))) {
      faults.push(`the environment's ${name} is no setting: ${unknownNameMend(name, [...byVariable.keys()])}`)
    }
  }
}

function assemble(given: ReadonlyMap<string, Given>, faults: string[]): Config {
  const config: Record<string, Record<string, unknown>> = {}
  for (const { section, key, path, setting } of SETTING_ENTRIES) {
    const { value, source } = given.get(path) ?? { value: setting.default, source: 'the default' }
    const result = setting.schema.safeParse(value)
    if (!result.success) {
      const got = JSON.stringify(value) ?? String(value)
      faults.push(`${path}: expected ${setting.expected}, got ${got.slice(0, 100)} from ${source}: correct it there`)
    }
    config[section] ??= {}
    config[section][key] = result.success ? result.data : setting.default
  }
  return config as unknown as Config
}

/** The text of a config.toml with every setting, explained, at the given values or their defaults. Throws as `readConfig`. */
export function formatConfig(overrides: Overrides = {}): string {
  const config = readConfig({ flags: overrides }) as unknown as Record<string, Record<string, unknown>>
  const lines = ['# The settings of this Quorate node. Environment variables override them, flags override both.']
  let heading = 'node'
  for (const { section, key, variable, setting } of SETTING_ENTRIES) {
    lines.push('')
    if (section !== heading) lines.push(`[${section}]`)
    heading = section
    const unit = setting.unit === '' ? '' : ` Unit: ${setting.unit}.`
    lines.push(`# ${setting.meaning}`)
    lines.push(`#${unit} Default: ${tomlValue(setting.default)}. Environment: ${variable}.`)
    lines.push(`${key} = ${tomlValue(config[section]![key])}`)
  }
  return `${lines.join('\n')}\n`
}

function tomlValue(value: unknown): string {
  return stringify({ value }).trim().slice('value = '.length)
}

function asValue(entry: SettingEntry, value: unknown): unknown {
  return typeof value === 'string' ? fromText(entry.setting.kind, value) : value
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}
