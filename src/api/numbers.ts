// Numbers in paths and queries: plain decimals in their shortest form, so that one value has one spelling.

const DECIMAL = /^(?:0|[1-9][0-9]{0,15})$/

/** The safe integer that a text spells; undefined where it spells none. */
export function parseHeight(text: string): number | undefined {
  if (!DECIMAL.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}

/** `height-part`, such as an event's id or a transaction's place. */
export function parsePlace(text: string): { height: number; part: number } | undefined {
  const dash = text.indexOf('-')
  const height = parseHeight(dash === -1 ? '' : text.slice(0, dash))
  const part = parseHeight(text.slice(dash + 1))
  return height === undefined || part === undefined ? undefined : { height, part }
}

type Properties = Record<string, { type?: unknown }>

/** Turns the texts of a query into the numbers and booleans its schema asks for; what spells none stays text, and is then refused. */
export function convertQuery(query: Record<string, unknown>, properties: Properties): void {
  for (const [name, value] of Object.entries(query)) {
    const type = Object.hasOwn(properties, name) ? properties[name]!.type : undefined
    if (typeof value !== 'string') continue
    if (type === 'integer') query[name] = parseHeight(value) ?? value
    else if (type === 'boolean' && (value === 'true' || value === 'false')) query[name] = value === 'true'
  }
}
