// Scenarios in which the simulator once found a broken rule, shrunk; each is named for what was wrong and stays mended.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Scenario } from '../../src/simulator/scenario.ts'
import { runScenario } from '../../src/simulator/world.ts'

const folder = join(import.meta.dirname, 'found')

it.each(readdirSync(folder))('%s', async (name) => {
  const scenario = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Scenario
  expect((await runScenario(scenario)).violations).toEqual([])
})
