/** Hexadecimal text and byte comparison under the roof of `crypto`; the code is with the plain data types, which import nothing of ours. */
export { compareBytes, equalBytes, fromHex, toHex } from '../types/hex.ts'
