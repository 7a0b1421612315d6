// Equality of JSON values, without recursion that hostile depth could exhaust.

/** Whether two parsed JSON values, the left one written out and parsed again, are the same: names of objects in any order, arrays in theirs. */
export function sameJson(left: unknown, right: unknown): boolean {
  const pairs: [unknown, unknown][] = [[left, right]]
  for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
    const [a, b] = pair
    if (a === b) continue
    // A number too large to be one, such as 1e999, parses as infinite and is written out as null.
    if (a === null && (b === Number.POSITIVE_INFINITY || b === Number.NEGATIVE_INFINITY)) continue
    if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
    if (Array.isArray(a) !== Array.isArray(b)) return false
    const names = Object.keys(a)
    if (names.length !== Object.keys(b).length) return false
    for (const name of names) {
      if (!Object.hasOwn(b, name)) return false
      pairs.push([(a as Record<string, unknown>)[name], (b as Record<string, unknown>)[name]])
    }
  }
  return true
}
