// The system contract's arguments: the only JSON from outside that the host itself reads.
import { ARGUMENTS_DEPTH_MAX } from './sandbox/limits.ts'

/** The arguments as an object; undefined where the text is not JSON of one, or nested too deeply. */
export function parseArguments(text: string): Record<string, unknown> | undefined {
  // Writing an init's arguments out again recurses, and the stack ends at another depth on another machine.
  if (nestingOf(text) > ARGUMENTS_DEPTH_MAX) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

/** How deeply JSON text is nested; of text that is not JSON, some number. */
export function nestingOf(text: string): number {
  let depth = 0
  let deepest = 0
  let isInString = false
  for (let i = 0; i < text.length; i++) {
    const character = text[i]
    if (isInString && character === '\\') i++
    else if (character === '"') isInString = !isInString
    else if (!isInString && (character === '[' || character === '{')) deepest = Math.max(deepest, ++depth)
    else if (!isInString && (character === ']' || character === '}')) depth--
  }
  return deepest
}
