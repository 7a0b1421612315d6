// Every code a receipt can carry, with its explanation. The code is agreed and hashed, the explanation is not: wording may change
// without a fork. docs/errors.md holds the same table, and a test holds the two together.

export const RECEIPT_CODES = {
  NONCE_USED:
    'The sender has used this nonce already, with another transaction or with this one at an earlier place. It did not run here.',
  EXPIRED: 'The block is above the last height at which the transaction may run. Sign it again with a later expiry.',
  NONCE_GAP:
    'An earlier nonce of the sender has not run yet. The transaction did not run here and may still run in a later block.',
  NOT_ALLOWED:
    'The sender lacks the role that this network asks for. Ask for the role, or send from an account that has it.',
  UNKNOWN_CONTRACT: 'No contract has this name at this height. Check the name, or deploy the contract first.',
  UNKNOWN_METHOD: 'The contract has no such call (or, for a view, no such view). List its methods and check the name.',
  BAD_ARGUMENTS: 'The arguments are not JSON of the shape that the method takes. Correct them.',
  THROWN: 'The contract refused; the message is its own.',
  NESTED:
    'A contract that this one called failed, and it did not catch that; the message is the called one’s own, or its code.',
  REENTRY:
    'A contract called one that is already running in the same transaction. Change the contracts so that they do not.',
  OUT_OF_GAS: 'The gas limit was reached. Estimate again with a dry run, or raise the limit.',
  DEPTH: 'Contracts called one another too deeply. Flatten the calls.',
  STACK: 'The contract exhausted the engine’s own stack. Make its recursion shallower.',
  ENGINE: 'The contract broke the engine it runs in; nothing of it was kept. Report it with the contract’s code.',
  OUT_OF_MEMORY: 'The contract needed more memory than a call may have. Work in smaller pieces.',
  STACK_OVERFLOW: 'The contract called its own functions too deeply. Make its recursion shallower.',
  PROMISE: 'The handler returned a promise. Handlers are synchronous: remove async and await.',
  READ_ONLY: 'A view tried to write, emit or call. Make it a call, or take the write out.',
  BAD_KEY: 'A state key was not text of 1 to 256 bytes in UTF-8. Correct the contract.',
  BAD_VALUE:
    'A value was not of the type its function takes, or not JSON (no bigint, no infinite number, not undefined). Correct the contract.',
  LIMIT: 'A value, result, event, scan or name passed its limit. Work in smaller pieces.',
  BAD_CODE: 'The contract’s code no longer loads. Upgrade it with code that does.',
  TOO_MANY_EVENTS: 'The transaction emitted more events, or more bytes of them, than a receipt may carry. Emit fewer.',
  NAME_INVALID:
    'A contract name has 2 to 40 characters: a letter a-z first, then a-z, 0-9 and "-"; "system" is taken. Choose another.',
  CONTRACT_EXISTS: 'A contract with this name is deployed already. Choose another name, or upgrade it as its owner.',
  CONTRACT_ACTIVE:
    'A contract cannot be upgraded while it is running in the same transaction. Upgrade it in another one.',
  NOT_OWNER: 'Only the contract’s owner may do this. Send from the owner’s account.',
  FROZEN: 'The contract is frozen: its code and its owner never change again. Deploy new code under another name.',
  OWNER_INVALID: 'An owner is an address, or "contract:" and the name of a deployed contract. Correct it.',
  CODE_INVALID:
    'The code does not load as a contract, or takes more gas to load than code of its length may. `quorate contract build` names the fault.',
} as const
export type ReceiptCode = keyof typeof RECEIPT_CODES

/** The explanation of a receipt's code; empty for the empty code of a receipt that is ok. */
export function explain(code: string): string {
  if (code === '') return ''
  return Object.hasOwn(RECEIPT_CODES, code)
    ? RECEIPT_CODES[code as ReceiptCode]
    : `This version does not know the code ${code}.`
}
