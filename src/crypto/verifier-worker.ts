/** The worker thread behind `verifier-pool.ts`: answers each request in the order in which it came. */
import { parentPort } from 'node:worker_threads'
import { publicKeyOf, seedBytes } from './ed25519.ts'
import { verifyFast, verifySlow } from './signer.ts'
import { unpackItems, type WorkerAnswer, type WorkerRequest } from './verifier-packing.ts'

// The reference fills its tables at the first use, in some 50 ms; no peer's batch should have to wait for that.
publicKeyOf(new Uint8Array(seedBytes))

parentPort!.on('message', ({ mode, packed }: WorkerRequest) => {
  const check = mode === 'fast' ? verifyFast : verifySlow
  const accepted = unpackItems(packed).map(({ publicKey, message, signature }) => check(publicKey, message, signature))
  parentPort!.postMessage({ accepted } satisfies WorkerAnswer)
})
