// The refusals of the node home. Each message names the thing, the reason and the mend.

export type HomeErrorCode =
  | 'HOME_EXISTS'
  | 'HOME_MISSING'
  | 'NAME_INVALID'
  | 'CONFIG_MISSING'
  | 'CONFIG_INVALID'
  | 'GENESIS_MISSING'
  | 'GENESIS_INVALID'

export class HomeError extends Error {
  readonly code: HomeErrorCode

  constructor(code: HomeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'HomeError'
    this.code = code
  }
}
