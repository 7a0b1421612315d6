// How any command line is taken: exit codes, one-line errors, help.
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { describeError } from '../../src/cli/error.ts'
import { VERSION } from '../../src/version.ts'
import { createCli, withFolder } from './support.ts'

const cli = createCli({ QUORATE_NODE: 'http://127.0.0.1:1', QUORATE_KEYSTORE: '/nonexistent/keystore' })
const ONE_LINE = /^quorate: [^\n]+ \([A-Z_]+\)\n$/

describe('bad usage exits with 2 and one line on stderr', () => {
  test.each([
    ['bogus'],
    ['keys crate x'],
    ['keys create'],
    ['keys list extra'],
    ['keys list --nope'],
    ['blocks --from minus'],
    ['blocks --limit 0'],
    ['blocks --limit 101'],
    ['block seven'],
    ['account qr1wrong'],
    ['tx show 00'],
    ['tx send token transfer {bad --from alice'],
    ['tx send token transfer {}'],
    ['tx sign token transfer {} --from alice --genesis-hash zz'],
    ['contract deploy . --name Bad'],
    ['contract deploy .'],
    ['start'],
    ['start --home x --set nothing'],
    ['devnet --validators 0'],
    ['devnet --port 70000'],
    ['genesis create'],
    ['genesis create --chain-id a --parameter x'],
    ['genesis create --chain-id a --contract token=x'],
    ['genesis create --chain-id a --time yesterday'],
    ['status --node nonsense'],
    ['keys show Bad'],
    ['help bogus'],
    ['help tx bogus'],
  ])('%s', async (line) => {
    const { exitCode, out, err } = await cli(...line.split(' '))
    expect(err).toMatch(ONE_LINE)
    expect(exitCode).toBe(2)
    expect(out).toBe('')
    expect(err).not.toContain('.:')
  })

  test('nothing at all shows the help, on stderr', async () => {
    const { exitCode, out, err } = await cli()
    expect([exitCode, out]).toEqual([2, ''])
    expect(err).toContain('Usage: quorate')
  })
})

describe('failure exits with 1 and one line that names the thing, the reason and the mend', () => {
  test.each([
    [['status'], /no node answers at http:\/\/127\.0\.0\.1:1 .*quorate devnet.*\(UNREACHABLE\)/],
    [['keys', 'show', 'alice'], /no key "alice" in \/nonexistent\/keystore: .*\(KEY_UNKNOWN\)/],
    [['tx', 'send', 'a', 'b', '{}', '--from', 'bob'], /no key "bob" in .*keys create.*\(KEY_UNKNOWN\)/],
    [['view', 'token', 'balanceOf', '{"account":"@nobody"}'], /@nobody names no key in .*\(KEY_UNKNOWN\)/],
    [['genesis', 'show', '/nonexistent/genesis.json'], /\/nonexistent\/genesis\.json: .*\(ENOENT\)/],
    [['start', '--home', '/nonexistent/home'], /no node home at \/nonexistent\/home: .*init.*\(HOME_MISSING\)/],
    [['genesis', 'show', tmpdir()], new RegExp(`^quorate: ${tmpdir()}: it is a folder.*\\(EISDIR\\)`)],
    [['verify', tmpdir(), '--genesis-hash', '00'.repeat(32)], new RegExp(`^quorate: ${tmpdir()}: it is a folder`)],
    [['backup', 'list', '--home', '/nonexistent'], /no node home at \/nonexistent: .*\(HOME_MISSING\)/],
    [['backup', 'list', '--home', tmpdir(), '--in', '/nonexistent'], /\/nonexistent: .*\(ENOENT\)/],
    [['contract', 'build', '/nonexistent'], /no contract source.*\(SOURCE_NOT_FOUND\)/],
    [['keys', 'create', 'x'], /nobody is at a terminal.*--unencrypted.*\(PASSPHRASE_NEEDED\)/],
  ])('%j', async (argv, reason) => {
    const { exitCode, out, err } = await cli(...argv)
    expect(err).toMatch(ONE_LINE)
    expect(err).toMatch(reason)
    expect([exitCode, out]).toEqual([1, ''])
  })

  test('names the address that is taken', () => {
    const taken = { code: 'EADDRINUSE', address: '127.0.0.1', port: 4600 }
    const error = Object.assign(new Error('listen EADDRINUSE: address already in use 127.0.0.1:4600'), taken)
    expect(describeError(error)).toMatch(/^127\.0\.0\.1:4600: the address is in use: .*another port \(EADDRINUSE\)$/)
  })

  test('is one line also where there are several faults', () =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'index.ts'), "import 'nowhere-a'\nimport 'nowhere-b'\n")
      const { err } = await cli('contract', 'build', folder)
      expect(err).toMatch(ONE_LINE)
      expect(err).toMatch(/index\.ts:1:\d+: .*nowhere-a.*index\.ts:2:\d+: .*nowhere-b.*\(SOURCE_INVALID\)/)
    }))

  test('--debug adds the stack and its causes, wherever it stands', async () => {
    for (const argv of [
      ['status', '--debug'],
      ['--debug', 'status'],
    ]) {
      const { err } = await cli(...argv)
      expect(err.split('\n')[0]).toMatch(/UNREACHABLE/)
      expect(err).toMatch(/\n {4}at /)
      expect(err).toMatch(/caused by: /)
    }
  })
})

describe('help', () => {
  test('of every command exits with 0, says what it does and lists its options', async () => {
    const { out } = await cli('--help')
    const names = [...out.matchAll(/^ {2}([a-z]+)[ \n]/gm)].map(([, name]) => name!).filter((name) => name !== 'help')
    expect(names).toEqual(
      expect.arrayContaining(['devnet', 'init', 'start', 'genesis', 'keys', 'tx', 'view', 'status']),
    )
    for (const name of names) {
      const help = await cli(name, '--help')
      expect([name, help.exitCode, help.err]).toEqual([name, 0, ''])
      expect(help.out).toContain(`Usage: quorate ${name}`)
    }
  })

  test('of a command inside a group is that command’s own, by either word order', async () => {
    const own = (await cli('tx', 'send', '--help')).out
    expect(own).toContain('Usage: quorate tx send')
    for (const argv of [
      ['help', 'tx', 'send'],
      ['tx', 'help', 'send'],
    ]) {
      expect(await cli(...argv)).toMatchObject({ exitCode: 0, out: own, err: '' })
    }
    expect((await cli('help')).out).toBe((await cli('--help')).out)
  })

  test('shows no empty list as a default', async () => {
    for (const argv of [['init'], ['start'], ['genesis', 'create']])
      expect((await cli(...argv, '--help')).out).not.toContain('[])')
  })

  test('of a command names the common options it takes', async () => {
    const { out } = await cli('tx', 'send', '--help')
    for (const option of [
      '--json',
      '--debug',
      '--node',
      '--keystore',
      '--from',
      '--gas',
      '--expires',
      '--no-wait',
      '--dry-run',
    ]) {
      expect(out).toContain(option)
    }
    expect((await cli('keys', 'list', '--help')).out).not.toContain('--from')
  })
})

test('the program itself: version on stdout, exit codes of the process', () => {
  const entry = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
  const run = (...argv: string[]) => spawnSync(process.execPath, [entry, ...argv], { encoding: 'utf8' })
  expect(run('--version')).toMatchObject({ status: 0, stdout: `${VERSION}\n` })
  const bad = run('bogus')
  expect(bad).toMatchObject({ status: 2, stdout: '' })
  expect(bad.stderr).toMatch(ONE_LINE)
})
