/** The signature vectors as bytes, shared by the tests of every verification path. */

import { fromHex } from '../../src/crypto/hex.ts'
import edgeCases from '../vectors/ed25519-edge-cases.json' with { type: 'json' }

export interface SignatureCase {
  name: string
  publicKey: Uint8Array
  message: Uint8Array
  signature: Uint8Array
  valid: boolean
}

const published: SignatureCase[] = edgeCases.cases.map(({ source, name, publicKey, message, signature, valid }) => ({
  name: `${source}: ${name}`,
  publicKey: fromHex(publicKey),
  message: fromHex(message),
  signature: fromHex(signature),
  valid,
}))

/** ZIP-215's own table: A and R each in every encoding of a small-order point, S = 0, message "Zcash"; all 196 are valid. */
const smallOrder: SignatureCase[] = edgeCases.smallOrderEncodings.flatMap((a) =>
  edgeCases.smallOrderEncodings.map((r) => ({
    name: `ZIP-215: A = ${a}, R = ${r}`,
    publicKey: fromHex(a),
    message: new TextEncoder().encode('Zcash'),
    signature: fromHex(r + '00'.repeat(32)),
    valid: true,
  })),
)

const sound = published[0]!
const malformed: SignatureCase[] = [
  { ...sound, name: 'empty public key', publicKey: new Uint8Array(0), valid: false },
  { ...sound, name: 'public key one byte short', publicKey: sound.publicKey.subarray(1), valid: false },
  { ...sound, name: 'public key one byte long', publicKey: Uint8Array.of(...sound.publicKey, 0), valid: false },
  { ...sound, name: 'empty signature', signature: new Uint8Array(0), valid: false },
  { ...sound, name: 'signature one byte short', signature: sound.signature.subarray(0, 63), valid: false },
  { ...sound, name: 'signature one byte long', signature: Uint8Array.of(...sound.signature, 0), valid: false },
]

export const signatureCases: SignatureCase[] = [...published, ...smallOrder, ...malformed]

/** The cases on which the verdicts, given in order, are not those of the vectors. */
export function wrongVerdicts(verdicts: readonly boolean[]): string[] {
  return signatureCases.filter(({ valid }, index) => verdicts[index] !== valid).map(({ name }) => name)
}
