/** From places in a bundle to places in its TypeScript, by the source map made beside it. */
import { SourceMap } from 'node:module'
import { resolve } from 'node:path'
import { authoringPackage, type MappedBundle } from './bundle.ts'

export interface Position {
  /** An absolute path. */
  file: string
  /** Both from 1. */
  line: number
  column: number
}

/** One line of an error's stack, innermost first. `position` is absent where no source map knows the place. */
export interface StackFrame {
  /** Empty at a script's top level. */
  name: string
  position?: Position
}

/** As the engine writes them; its own and the prelude's frames have other file names. */
const FRAME = /^\s*at (?:(.*) \()?contract\.js:(\d+):(\d+)\)?$/

export interface Positions {
  /** The frames of a stack that an error in this bundle has, those of `quorate/contract` left out. */
  stackFrames(stack: string): StackFrame[]
  /** Where a character of the bundle comes from, counted from 0; undefined where the bundler made it, or `quorate/contract`. */
  at(index: number): Position | undefined
}

export function createPositions({ bundle, map, folder }: MappedBundle): Positions {
  const sourceMap = new SourceMap(JSON.parse(map))
  const lines = bundle.code.split('\n')

  function positionOf(line: number, column: number): Position | undefined {
    // The engine counts a line's bytes from 1 and points at, or one before, the token that was running; a source map counts UTF-16 units from 0.
    const before = Buffer.from(lines[line - 1] ?? '').subarray(0, column)
    return originOf(line - 1, before.toString().length)
  }

  /** Both from 0. */
  function originOf(line: number, column: number): Position | undefined {
    const entry = sourceMap.findEntry(line, column)
    if (!('originalSource' in entry)) return undefined
    const { originalSource, originalLine, originalColumn } = entry
    return { file: resolve(folder, originalSource), line: originalLine + 1, column: originalColumn + 1 }
  }

  return {
    at(index) {
      const before = bundle.code.slice(0, index).split('\n')
      const position = originOf(before.length - 1, before.at(-1)!.length)
      return position?.file === authoringPackage ? undefined : position
    },
    stackFrames: (stack) =>
      stack
        .split('\n')
        .map((text) => FRAME.exec(text))
        .filter((match) => match !== null)
        // What runs after the bundle in one script with it is not the author's.
        .filter(([, , line]) => Number(line) <= lines.length)
        .map(([, name = '', line, column]) => ({ name, position: positionOf(Number(line), Number(column)) }))
        .filter(({ position }) => position?.file !== authoringPackage),
  }
}
