// Settings of a node given as flags: `--set api.port=4601`.
import { usage } from './error.ts'

/** By the setting's path; the home checks names and values and explains what is wrong. */
export function assignments(given: readonly string[]): Record<string, string> {
  const values: Record<string, string> = {}
  for (const text of given) {
    const at = text.indexOf('=')
    if (at <= 0) throw usage(`--set "${text}" is no SETTING=VALUE: write it like api.port=4601`)
    values[text.slice(0, at)] = text.slice(at + 1)
  }
  return values
}
