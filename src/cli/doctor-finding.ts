// What a doctor finds, whatever it looked at: one thing that is wrong, and what mends it.

export interface Finding {
  /** Stable, for scripts. */
  code: string
  /** The node, validator or file it is about. */
  about: string
  /** What is wrong, with what was expected. */
  reason: string
  mend: string
  /** RFC 3339, where it is known since when. */
  since: string | null
}

/** One paragraph a finding, numbered. */
export function describeFindings(findings: readonly Finding[]): string {
  if (findings.length === 0) return 'All is well.'
  return findings
    .map(({ code, about, reason, mend, since }, index) => {
      const when = since === null ? '' : ` (since ${since})`
      return `${index + 1}. ${about}: ${reason}${when} (${code})\n   To do: ${mend}`
    })
    .join('\n')
}
