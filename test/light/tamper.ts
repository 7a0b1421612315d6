// Every way to change one value inside a JSON document.

/** Its place and what was done to it, and the changed document. */
export function* tampered(document: object): Generator<[string, object]> {
  for (const path of pathsOf(document)) {
    const value = at(document, path)
    const last = path.at(-1)!
    for (const [how, changed] of changesOf(value)) {
      const copy = structuredClone(document)
      const parent = parentOf(copy, path)
      if (how === 'removed' && Array.isArray(parent)) parent.splice(Number(last), 1)
      else if (how === 'removed') delete parent[last]
      else parent[last] = changed
      yield [`${path.join('.')} ${how}`, copy]
    }
  }
}

export const at = (document: unknown, path: readonly string[]): unknown =>
  path.reduce((inner, step) => (inner as Record<string, unknown>)[step], document)

export const parentOf = (document: unknown, path: readonly string[]) =>
  at(document, path.slice(0, -1)) as Record<string, unknown>

export function* pathsOf(value: object, prefix: string[] = []): Generator<string[]> {
  for (const [name, inner] of Object.entries(value)) {
    yield [...prefix, name]
    if (typeof inner === 'object' && inner !== null) yield* pathsOf(inner, [...prefix, name])
  }
}

/** Of another value of its type, of another type, and gone. */
function* changesOf(value: unknown): Generator<[string, unknown]> {
  yield ['removed', undefined]
  yield ['made an object', { a: 1 }]
  if (value !== null) yield ['made null', null]
  if (typeof value === 'string') {
    yield ['changed at its end', value.slice(0, -1) + (value.endsWith('0') ? '1' : '0')]
    if (value !== '') yield ['changed at its start', (value.startsWith('0') ? '1' : '0') + value.slice(1)]
    if (value.length > 2) yield ['changed in its middle', flipped(value, Math.floor(value.length / 2))]
    yield ['lengthened', `${value}00`]
    yield ['made a number', 7]
  } else if (typeof value === 'number') {
    yield ['raised', value + 1]
    yield ['lowered', value - 1]
    yield ['made text', String(value)]
  } else if (typeof value === 'boolean') {
    yield ['turned', !value]
  } else if (Array.isArray(value)) {
    yield ['lengthened', [...value, value[0] ?? 1]]
    if (value.length > 0) yield ['emptied', []]
    if (value.length > 1) yield ['reversed', value.toReversed()]
  } else if (value === null) {
    yield ['filled', 1]
    yield ['made text', 'x']
  }
}

const flipped = (text: string, index: number) =>
  text.slice(0, index) + (text[index] === '0' ? '1' : '0') + text.slice(index + 1)
