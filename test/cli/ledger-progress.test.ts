// The line of progress of long ledger commands.
import { expect, test } from 'vitest'
import type { Io } from '../../src/cli/io.ts'
import { createProgressLine } from '../../src/cli/ledger-progress.ts'

function lineOf(isTerminal: boolean) {
  const said: string[] = []
  let now = 0
  const pass = (ms: number) => {
    now += ms
  }
  const terminal = isTerminal ? ({} as NonNullable<Io['terminal']>) : undefined
  const io: Io = { out: () => {}, err: (text) => void said.push(text), env: {}, terminal, readInput: async () => '' }
  return { said, line: createProgressLine(io, 'checking', () => now), pass }
}
const at = (height: number) => ({ height, from: 1, to: 100, transactions: 10 * height })

test('tells the height, the rates and the time left, on a line of its own now and then', () => {
  const { said, line, pass } = lineOf(false)
  line.heights(at(1))
  pass(5_000)
  line.heights(at(20))
  line.heights(at(21))
  pass(5_000)
  line.heights(at(80))
  line.end()
  expect(said).toEqual([
    'checking block 20 of 100, 4 blocks/s, 40 transactions/s, 0:20 left\n',
    'checking block 80 of 100, 8 blocks/s, 80 transactions/s, 0:03 left\n',
  ])
})

test('writes over itself on a terminal, and leaves the line empty', () => {
  const { said, line, pass } = lineOf(true)
  pass(200)
  line.step('checking the state')
  line.end()
  line.end()
  expect(said).toEqual(['\r\u001b[Kchecking the state', '\r\u001b[K'])
})
