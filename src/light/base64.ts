// Base64 (RFC 4648, section 4) of bytes, in Node and in browsers alike.

/** The bytes as base64 text. */
export function toBase64(bytes: Uint8Array): string {
  let text = ''
  // In parts: a call takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192))
  return btoa(text)
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** The bytes of a base64 text; undefined for anything else. */
export function fromBase64(text: unknown): Uint8Array | undefined {
  if (typeof text !== 'string' || !BASE64.test(text)) return undefined
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  // The last character may have bits that stand for nothing: only zeros there, so that bytes have one text (RFC 4648, section 3.5).
  const ending = bytes.length - (bytes.length % 3)
  return text.endsWith('=') && !text.endsWith(toBase64(bytes.subarray(ending))) ? undefined : bytes
}
