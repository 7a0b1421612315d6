// Certificates checked off the main thread: the edge's own rules, with the signatures put aside for the verifier's threads.
import type { Certificate, Header } from '../types/block.ts'

type CertificateRules = (header: Header, certificate: Certificate) => string | undefined
interface SignedItem {
  publicKey: Uint8Array
  message: Uint8Array
  signature: Uint8Array
}

/**
 * `rulesWith` gives the rules of the edge over the verification it is given. The verifier is asked without a lane, where nothing is
 * refused: what is under way is bounded by the requests under way, and one validator whose signatures are valid but slow to check
 * must not make whole chains look forged.
 */
export function createCertificateCheck(
  rulesWith: (
    verify: (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean,
  ) => CertificateRules,
  verifyBatch: (items: SignedItem[]) => Promise<boolean[]>,
): (header: Header, certificate: Certificate) => Promise<string | undefined> {
  let items: SignedItem[] = []
  const rules = rulesWith((publicKey, message, signature) => {
    items.push({ publicKey, message, signature })
    return true
  })
  return async (header, certificate) => {
    items = []
    const fault = rules(header, certificate)
    if (fault !== undefined) return fault
    const wrong = (await verifyBatch(items)).indexOf(false)
    return wrong < 0 ? undefined : `the signature of validator ${certificate.signatures[wrong]!.signer} is wrong`
  }
}
