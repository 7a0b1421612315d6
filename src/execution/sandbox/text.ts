/** Small checks on texts that cross the sandbox's edge. */
import { ARGUMENTS_BYTES_MAX, ARGUMENTS_DEPTH_MAX } from './limits.ts'

/** Whether argument text is short and shallow enough to be handed to the engine's recursive parser, valid or not. */
export function areArgumentsBounded(json: string): boolean {
  if (Buffer.byteLength(json) > ARGUMENTS_BYTES_MAX) return false
  let depth = 0
  let inString = false
  for (let index = 0; index < json.length; index++) {
    const character = json[index]
    if (inString) {
      if (character === '\\') index++
      else if (character === '"') inString = false
    } else if (character === '"') inString = true
    else if (character === '[' || character === '{') {
      depth++
      if (depth > ARGUMENTS_DEPTH_MAX) return false
    } else if (character === ']' || character === '}') depth--
  }
  return true
}

/** The longest prefix of at most so many bytes of UTF-8 that ends between characters. */
export function clipText(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text, 'utf8')
  if (bytes.length <= bytesMax) return text
  let end = bytesMax
  while (end > 0 && (bytes[end]! & 0b1100_0000) === 0b1000_0000) end--
  return bytes.toString('utf8', 0, end)
}
