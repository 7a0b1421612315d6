// `quorate/light` and `quorate/client` run in browsers: nothing of Node is in them, and light verification stays small.
import { build } from 'esbuild'
import { expect, test } from 'vitest'

const bundled = async (entry: string) => {
  const { outputFiles, metafile } = await build({
    entryPoints: [new URL(`../../src/${entry}/index.ts`, import.meta.url).pathname],
    bundle: true,
    minify: true,
    metafile: true,
    write: false,
    platform: 'browser',
    format: 'esm',
    logLevel: 'silent',
  })
  return { code: outputFiles[0]!.text, inputs: Object.keys(metafile.inputs) }
}

test.each(['light', 'client'])('src/%s bundles for browsers, without anything of Node', async (entry) => {
  const { code } = await bundled(entry)
  expect(code).not.toMatch(/(from|import|require)\s*\(?\s*["']node:/)
  expect(code).not.toMatch(/\bimport\s*["'{*(]/)
})

test('quorate/light needs the canonical bytes, hashes and signatures, and nothing else; less than 60 kB', async () => {
  const { code, inputs } = await bundled('light')
  const rooms = /^(src\/(light|types|crypto)\/|node_modules\/(@noble\/(hashes|ed25519)|@scure\/base)\/)/
  expect(inputs.filter((file) => !rooms.test(file))).toEqual([])
  expect(code.length).toBeLessThan(60_000)
  console.info(`quorate/light, minified: ${code.length} bytes`)
})
