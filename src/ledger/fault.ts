// What is wrong with a ledger folder, as data: found before it is opened (leveldb/files.ts) or once it is open (check.ts).

/** `thing` is what is wrong, `reason` what was expected and what was found, `mend` what to do. */
export interface Fault {
  code: string
  thing: string
  reason: string
  mend: string
}

/** DIR stands for the node's home, which the ledger does not know. */
export const REPAIR_MEND =
  'Stop the node and run `quorate ledger repair --home DIR`: it keeps what is whole, and the node fetches the rest from its peers. ' +
  'Check the disk too; damage tends to come back.'

export const damaged = (thing: string, reason: string): Fault => ({
  code: 'LEDGER_DAMAGED',
  thing,
  reason,
  mend: REPAIR_MEND,
})
