// What each method cost over a test, for budgets and tables.

export interface GasRow {
  contract: string
  method: string
  kind: 'deploy' | 'upgrade' | 'call' | 'view'
  /** Those that ended well; the gas figures are theirs. */
  calls: number
  failed: number
  /** Undefined where none ended well. */
  min: number | undefined
  median: number | undefined
  max: number | undefined
}

export interface GasMeter {
  add(what: Pick<GasRow, 'contract' | 'method' | 'kind'>, outcome: { status: string; gasUsed: number }): void
  /** In the order of the first use. */
  report(): GasRow[]
}

export function createGasMeter(): GasMeter {
  const rows = new Map<string, Pick<GasRow, 'contract' | 'method' | 'kind' | 'failed'> & { gas: number[] }>()
  return {
    add({ contract, method, kind }, { status, gasUsed }) {
      const name = `${kind} ${contract} ${method}`
      const row = rows.get(name) ?? { contract, method, kind, failed: 0, gas: [] }
      rows.set(name, row)
      if (status === 'ok') row.gas.push(gasUsed)
      else row.failed++
    },
    report: () =>
      [...rows.values()].map(({ gas, contract, method, kind, failed }) => {
        const sorted = gas.toSorted((a, b) => a - b)
        // Of an even number, the lower of the middle two: a figure that was really paid.
        const median = sorted[(sorted.length - 1) >> 1]
        return { contract, method, kind, calls: gas.length, failed, min: sorted[0], median, max: sorted.at(-1) }
      }),
  }
}

const HEADING = ['contract', 'method', 'kind', 'calls', 'failed', 'min', 'median', 'max']
const NUMBERS_FROM = 3

/** The report as a table, numbers to the right with their thousands apart. */
export function formatGasReport(rows: readonly GasRow[]): string {
  const number = (value: number | undefined) => String(value ?? '-').replace(/\B(?=(\d{3})+$)/g, ',')
  const lines = rows.map(({ contract, method, kind, calls, failed, min, median, max }) => [
    contract,
    method,
    kind,
    ...[calls, failed, min, median, max].map(number),
  ])
  const cells = [HEADING, ...lines]
  const widths = HEADING.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)))
  const pad = (text: string, column: number) =>
    column < NUMBERS_FROM ? text.padEnd(widths[column]!) : text.padStart(widths[column]!)
  return cells.map((line) => line.map(pad).join('  ')).join('\n')
}
