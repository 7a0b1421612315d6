// Every file of test/scenarios gives the transcript it holds. UPDATE_SCENARIOS=1 rewrites the transcripts; a person reads the diff.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { runScenario } from './scenario-runner.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = join(root, 'test/scenarios')
const scenarios = readdirSync(folder).filter((name) => name.endsWith('.txt'))
const read = (name: string) => readFileSync(join(folder, name), 'utf8')

describe('a scenario', () => {
  it.each(scenarios)('%s', (name) => {
    const text = read(name)
    const actual = runScenario(text)
    if (process.env.UPDATE_SCENARIOS === '1') writeFileSync(join(folder, name), actual)
    else expect(actual).toBe(text)
  })
})

const protocol = readFileSync(join(root, 'docs/protocol.md'), 'utf8')
const readme = read('README.md')

/** Each numbered rule, its text, and what its section says before its first rule. */
const rules = protocol.split(/^## /m).flatMap((section) => {
  const [introduction = ''] = section.split(/^\d+\. /m)
  return [...section.matchAll(/^(\d+)\. (.*(?:\n +\S.*)*)/gm)].map(
    ([, number, text]) => [Number(number), text!, introduction] as const,
  )
})

/** The tests and scenarios that a text names, by their paths from the root. */
function testsNamedIn(text: string): string[] {
  const names = [...text.matchAll(/`([\w./-]+\.(?:test\.ts|txt))`/g)].map((match) => match[1]!)
  return names.map((name) => {
    if (name.includes('/')) return name
    return name.endsWith('.txt') ? `test/scenarios/${name}` : `test/consensus/${name}`
  })
}

const headerOf = (name: string, word: string): number[] =>
  new RegExp(`^# ${word}: (.*)$`, 'm').exec(read(name))?.[1]?.split(', ').map(Number) ?? []

describe('docs/protocol.md', () => {
  it('numbers each rule once, without a gap', () => {
    const numbers = rules.map(([number]) => number).sort((a, b) => a - b)
    expect(numbers.length).toBeGreaterThanOrEqual(29)
    expect(numbers).toEqual(numbers.map((_, index) => index + 1))
  })

  it.each(rules)('names a test or scenario for rule %i', (number, text, introduction) => {
    const named = [...testsNamedIn(text), ...testsNamedIn(introduction)]
    expect(named).not.toEqual([])
    expect(named.filter((name) => !existsSync(join(root, name)))).toEqual([])
    const scenarios = named.filter((name) => name.endsWith('.txt')).map((name) => name.slice('test/scenarios/'.length))
    expect(scenarios.filter((name) => !headerOf(name, 'Rules').includes(number))).toEqual([])
  })
})

describe('test/scenarios/README.md', () => {
  it('and docs/protocol.md name every scenario, and nothing that is not there', () => {
    const named = [...testsNamedIn(protocol), ...testsNamedIn(readme)]
    expect(named.filter((name) => !existsSync(join(root, name)))).toEqual([])
    expect(scenarios.filter((name) => !named.includes(`test/scenarios/${name}`))).toEqual([])
  })

  it('says of each of the thirty bugs what would catch it, as the scenarios do', () => {
    const rows = [...readme.matchAll(/^\| (\d+) \| .* \| (.*) \|$/gm)].map(
      (match) => [Number(match[1]), match[2]!] as const,
    )
    expect(rows.map(([number]) => number)).toEqual(Array.from({ length: 30 }, (_, index) => index + 1))
    const told = rows.flatMap(([bug, text]) => testsNamedIn(text).map((name) => `${bug} ${name}`)).sort()
    const shown = scenarios
      .flatMap((name) => headerOf(name, 'Bugs').map((bug) => `${bug} test/scenarios/${name}`))
      .sort()
    expect(shown.filter((line) => !told.includes(line))).toEqual([])
    expect(told.filter((line) => line.endsWith('.txt') && !shown.includes(line))).toEqual([])
  })
})

it('every scenario says what it shows, and by which rules', () => {
  const known = new Set(rules.map(([number]) => number))
  for (const name of scenarios) {
    expect(read(name)).toMatch(/^# \w/)
    const shown = headerOf(name, 'Rules')
    expect(shown.length, name).toBeGreaterThan(0)
    expect(
      shown.filter((number) => !known.has(number)),
      name,
    ).toEqual([])
    const prefix = /^rule-(\d+)-/.exec(name)?.[1]
    if (prefix !== undefined) expect(shown, name).toContain(Number(prefix))
    else expect(headerOf(name, 'Bugs'), name).toContain(Number(name.slice(0, 2)))
  }
})

describe('the runner', () => {
  const failing = (text: string) => () => runScenario(`validators 4\n${text}\n`)

  it('refuses what is no command, no batch, or no first command', () => {
    expect(failing('prepose 0 a')).toThrow('no command is called prepose')
    expect(failing('forge commit from 0 view 0 seq 1 batch a to 1')).toThrow('no batch is called a')
    expect(failing('deliver form 1')).toThrow('"form" is no word of this command')
    expect(() => runScenario('propose 0 a\n')).toThrow('the first command is validators')
    expect(failing('propose 0 a\nexpect-invariant-failure deliver')).toThrow('no invariant broke')
  })

  it('notices chains that differ and promises that are broken', () => {
    const disk = 'propose 0 a\ndeliver 1 type proposal to 1\ncrash 1 losing 2 records\nstart 1\n'
    expect(failing(`${disk}forge proposal from 0 view 0 seq 1 batch b to 1`)).not.toThrow()
    expect(failing('propose 0 a\ndeliver\ncrash 1 losing 4 records')).toThrow('a crash cannot lose its record')
  })
})
