// `quorate/light` and `quorate/client` run in browsers: nothing of Node is in them, and light verification stays small.
import { expect, test } from 'vitest'
import { bundleForBrowsers } from './browser.ts'

test.each(['light', 'client'] as const)('src/%s bundles for browsers, without anything of Node', async (entry) => {
  const { code } = await bundleForBrowsers(entry)
  expect(code).not.toMatch(/(from|import|require)\s*\(?\s*["']node:/)
  expect(code).not.toMatch(/\bimport\s*["'{*(]/)
})

test('quorate/light needs the canonical bytes, hashes and signatures, and nothing else; less than 60 kB', async () => {
  const { code, inputs } = await bundleForBrowsers('light')
  const rooms = /^(src\/(light|types|crypto)\/|node_modules\/(@noble\/(hashes|ed25519)|@scure\/base)\/)/
  expect(inputs.filter((file) => !rooms.test(file))).toEqual([])
  expect(code.length).toBeLessThan(60_000)
  console.info(`quorate/light, minified: ${code.length} bytes`)
})
