// Every byte format there is: how a value of it is made, and the nested arrays its bytes must be, written down by hand so that the
// schemas are not their own judge.
import { blockFormats } from './formats/blocks.ts'
import type { Format } from './formats/format.ts'
import { messageFormats } from './formats/messages.ts'
import { requestFormats } from './formats/requests.ts'
import { storedFormats } from './formats/stored.ts'

export const formats: Format[] = [...blockFormats, ...messageFormats, ...requestFormats, ...storedFormats]
