// What an audit finds wrong: where, in which part, what was expected and what is there.

export interface Finding {
  height: number
  /** The part of the block, of the state or of an index, as it stands in "block 17, the certificate". */
  part: string
  expected: string
  found: string
}

export interface Fault extends Finding {
  /** What to do about it. */
  mend: string
}

export function finding(height: number, part: string, expected: unknown, found: unknown): Finding {
  return { height, part, expected: String(expected), found: String(found) }
}
