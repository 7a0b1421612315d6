// The version of this release: the one in package.json, which lies beside src/ in a checkout and beside dist/ once published.
import { readFileSync } from 'node:fs'

export const VERSION: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version
