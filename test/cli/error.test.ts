// One line for any error: what of the disk is said in words, with where and with what to do.
import { describe, expect, it } from 'vitest'
import { describeError } from '../../src/cli/error.ts'
import { placed } from '../../src/ledger/errors.ts'

const failed = (message: string, parts: object) => Object.assign(new Error(message), parts)

describe('an error as one line', () => {
  it('says where the disk is full, and what to do', () => {
    const full = placed(failed('ENOSPC: no space left on device, write', { code: 'ENOSPC', errno: -28 }), '/backups')
    expect(describeError(full)).toBe('/backups: the disk is full: make room and try again (ENOSPC)')
    // As another thread or the node tells it.
    const { message } = full as Error
    expect(describeError(failed(message, { code: 'ENOSPC' }))).toBe(
      'ENOSPC: no space left on device, write in /backups: the disk is full: make room and try again (ENOSPC)',
    )
  })

  it('leaves alone what says where already, and what is no failure of the system', () => {
    const named = failed('ENOENT', { code: 'ENOENT', errno: -2, path: '/a' })
    expect(describeError(placed(named, '/b'))).toBe('/a: there is no such file or folder: check the path (ENOENT)')
    const other = failed('why', { code: 'OTHER' })
    expect(describeError(placed(other, '/b'))).toBe('why (OTHER)')
  })

  it('tells what to do where LevelDB could not write', () => {
    const error = failed('IO error: /home/000003.log: No space left on device', { code: 'LEVEL_IO_ERROR' })
    expect(describeError(error)).toMatch(
      /^IO error: .*000003.log.*: the disk refused it: make room .*\(LEVEL_IO_ERROR\)$/,
    )
  })
})
