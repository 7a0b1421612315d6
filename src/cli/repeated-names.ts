// JSON in which an object has two members of one name: readers take the first, the last or both (RFC 8259, section 4), so what a person
// or another program reads in a file need not be what was checked.

/** Whether some object in a JSON text has a name twice; `value` is what the text was parsed to, which has each name once. */
export function hasRepeatedNames(text: string, value: unknown): boolean {
  return membersIn(text) !== membersOf(value)
}

/** Outside of texts a colon stands after a name and nowhere else. */
function membersIn(text: string): number {
  let count = 0
  let inText = false
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (inText && character === '\\') at++
    else if (character === '"') inText = !inText
    else if (character === ':' && !inText) count++
  }
  return count
}

/** Without recursion, which a deep document would exhaust. */
function membersOf(value: unknown): number {
  let count = 0
  const left = [value]
  for (let one = left.pop(); one !== undefined; one = left.pop()) {
    if (typeof one !== 'object' || one === null) continue
    const inner = Object.values(one)
    if (!Array.isArray(one)) count += inner.length
    for (const each of inner) left.push(each)
  }
  return count
}
