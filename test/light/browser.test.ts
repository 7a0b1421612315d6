// Light verification in a real browser: it believes genuine bundles and refuses tampered ones, on nothing but what browsers have.
import { expect, test } from 'vitest'
import type { ProofBundle } from '../../src/light/index.ts'
import { askBrowser, findBrowser } from './browser.ts'
import { createSamples } from './samples.ts'

const browser = findBrowser()
if (browser === undefined)
  console.warn('skipped: no chromium, chromium-browser or google-chrome on the path (Debian package chromium)')

test.skipIf(browser === undefined)(
  'a page believes what is proven and refuses what was changed',
  async () => {
    const { bundles, chain } = await createSamples()
    const changed = structuredClone(bundles.value) as ProofBundle & { document: { value: unknown } }
    changed.document.value = { a: [2, true] }
    const question = { bundles: { ...bundles, changed }, genesisHash: chain.genesisHash, rounds: 1 }
    const verdicts = await askBrowser(browser!, question)
    expect(verdicts).toMatchObject({
      receipt: { proven: { kind: 'transaction', height: 5 } },
      refusal: { proven: { kind: 'transaction', height: 5 } },
      value: { proven: { kind: 'state', height: 6, value: '{"a":[1,true]}' } },
      absence: { proven: { kind: 'state', height: 6 } },
      events: { proven: { kind: 'events', height: 6 } },
      changed: { reason: expect.stringMatching(/^BAD_PROOF: .*value is not the value that is proven/) },
    })
  },
  90_000,
)
