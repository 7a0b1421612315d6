import { describe, expect, it } from 'vitest'
import { explain, RECEIPT_CODES, type ReceiptCode } from '../../src/execution/codes.ts'
import { intrinsicGas, loadGas, systemCallGas } from '../../src/execution/cost.ts'
import { failed, nestedOutcome } from '../../src/execution/outcome.ts'
import { CODE_BYTES_MAX, DEPTH_MAX, LOAD_GAS_MAX } from '../../src/execution/sandbox/limits.ts'
import { refusals } from '../../src/execution/sandbox/types.ts'
import { CALL_DEPTH_MAX, PARAMETER_DEFAULTS } from '../../src/limits.ts'
import { TRANSACTION_BYTES_MAX } from '../../src/types/transaction.ts'

describe('receipt codes', () => {
  it('are upper-case names that fit a receipt, each explained in whole sentences', () => {
    for (const [code, text] of Object.entries(RECEIPT_CODES)) {
      expect(code).toMatch(/^[A-Z][A-Z_]{0,63}$/)
      expect(text).toMatch(/^[A-Z].*\.$/)
      expect(explain(code)).toBe(text)
    }
  })

  it('cover what the sandbox refuses', () => {
    for (const code of refusals) expect(RECEIPT_CODES).toHaveProperty(code)
  })

  it('are not confused with what every object has', () => {
    expect(explain('')).toBe('')
    expect(explain('constructor')).toContain('does not know')
  })
})

describe('what a calling contract sees of a failure', () => {
  it('is the message where a contract gave one, and else the code: our wording may change, its state may not', () => {
    const seen = (code: ReceiptCode) => nestedOutcome(failed(code, 5, 'words'))
    expect(seen('THROWN')).toEqual({ kind: 'failed', code: 'THROWN', message: 'words', gasUsed: 5 })
    expect(seen('NESTED')).toMatchObject({ message: 'words' })
    expect(seen('UNKNOWN_METHOD')).toMatchObject({ message: 'UNKNOWN_METHOD' })
  })
})

describe('costs', () => {
  it('are formulas of bytes', () => {
    expect([intrinsicGas(0), intrinsicGas(300)]).toEqual([500_000, 530_000])
    expect([systemCallGas(0), systemCallGas(10)]).toEqual([150_000, 150_500])
    expect([loadGas(0), loadGas(1_000)]).toEqual([10_000_000, 11_500_000])
  })

  it('let the longest transaction and the longest code be paid for', () => {
    expect(intrinsicGas(TRANSACTION_BYTES_MAX)).toBeLessThan(PARAMETER_DEFAULTS.transactionGasMax)
    const dearestDeploy = intrinsicGas(CODE_BYTES_MAX) + systemCallGas(CODE_BYTES_MAX) + loadGas(CODE_BYTES_MAX)
    expect(dearestDeploy).toBeLessThan(PARAMETER_DEFAULTS.transactionGasMax)
  })

  it('keep loading within what the sandbox gives a load, so that what could be deployed can be loaded again', () => {
    expect(loadGas(CODE_BYTES_MAX)).toBeLessThanOrEqual(LOAD_GAS_MAX)
  })

  it('and the depth of calls is what the sandbox has machines for', () => {
    expect(CALL_DEPTH_MAX).toBe(DEPTH_MAX)
  })
})
