/** The refusals of the keystore. Each message names the thing, the reason and the mend. */

export type KeystoreErrorCode =
  | 'KEY_EXISTS'
  | 'KEY_UNKNOWN'
  | 'PASSPHRASE_WRONG'
  | 'PASSPHRASE_NEEDED'
  | 'KEY_DAMAGED'
  | 'KEY_NAME_INVALID'

export class KeystoreError extends Error {
  readonly code: KeystoreErrorCode

  constructor(code: KeystoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'KeystoreError'
    this.code = code
  }
}
