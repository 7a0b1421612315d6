// Text for people: aligned columns, without colour, so that it reads the same in a file as on a terminal.

/** Rows under a heading, columns as wide as their widest cell. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [heading, ...rows].map((row) => row.map(plain))
  const widths = heading.map((_, column) =>
    lines.reduce((width, row) => Math.max(width, (row[column] ?? '').length), 0),
  )
  return lines.map((row) => aligned(row, widths)).join('\n')
}

/** One `name  value` a line; what is undefined is left out. */
export function fields(entries: readonly (readonly [name: string, value: unknown])[]): string {
  const shown = entries.filter(([, value]) => value !== undefined)
  const width = Math.max(...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${plain(cell(value))}`.trimEnd()).join('\n')
}

/** A value as one cell: texts as they are, numbers in full, the rest as JSON. */
export function cell(value: unknown): string {
  if (value === null || value === undefined) return '-'
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/**
 * Whatever text on one line of its own: a stranger's can have line ends, or bytes that move the cursor or turn the reading order, and
 * could pass for other lines. They are shown escaped as in JSON.
 */
export function plain(text: string): string {
  return text.replace(UNSHOWN, (found) =>
    found
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  )
}
const UNSHOWN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/** The first digits of a hash, enough to recognise it in a table. */
export function shortHash(hash: unknown): string {
  return typeof hash === 'string' ? hash.slice(0, 16) : '-'
}

function aligned(row: readonly string[], widths: readonly number[]): string {
  return row
    .map((text, column) => text.padEnd(widths[column]!))
    .join('  ')
    .trimEnd()
}
