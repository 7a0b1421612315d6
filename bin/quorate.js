#!/usr/bin/env node
// The `quorate` command. It runs the TypeScript sources in a checkout and dist/ in the published package. A host whose own
// Node.js is too old gets the one that `npm ci` installed as the package `node`.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const file = (path) => fileURLToPath(new URL(path, import.meta.url))
const isCheckout = existsSync(file('../src/main.ts'))
const entry = isCheckout ? '../src/main.ts' : '../dist/main.js'
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const runsEntry = isCheckout ? major > 22 || (major === 22 && minor >= 18) : major > 22 || (major === 22 && minor >= 12)

if (runsEntry) {
  process.removeAllListeners('warning')
  await import(new URL(entry, import.meta.url).href)
} else {
  const node = file('../node_modules/node/bin/node')
  if (!existsSync(node)) {
    const mend = isCheckout ? `run npm ci in ${file('..')}, or install Node.js 24` : 'install Node.js 24'
    const least = isCheckout ? '22.18' : '22.12'
    process.stderr.write(`quorate: Node.js ${process.version} is too old, expected ${least} or later: ${mend}\n`)
    process.exit(1)
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => {
    process.exitCode = signal === null ? (code ?? 1) : 1
  })
}
