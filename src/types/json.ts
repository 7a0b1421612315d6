// JSON text as documents show it: the same value wherever the text is shown, or the text itself.

/** Deeper text is left as text: writing a document recurses. The sandbox takes and makes nothing deeper. */
const DEPTH_MAX = 128

/** The JSON value of a text, or the text itself where it is not JSON or too deep to be written out again. */
export function parseOrText(text: string): unknown {
  if (!isShallow(text)) return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function isShallow(json: string): boolean {
  let depth = 0
  let inString = false
  for (let index = 0; index < json.length; index++) {
    const character = json.charCodeAt(index)
    if (character === BACKSLASH && inString) index++
    else if (character === QUOTE) inString = !inString
    else if (inString) continue
    else if (character === OPEN_BRACKET || character === OPEN_BRACE) {
      if (++depth > DEPTH_MAX) return false
    } else if (character === CLOSE_BRACKET || character === CLOSE_BRACE) depth--
  }
  return true
}
const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
