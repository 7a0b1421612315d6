// config.toml, the environment and flags: what overrides what, and what is said about everything wrong.
import { describe, expect, test } from 'vitest'
import { formatConfig, readConfig } from '../../src/home/config.ts'
import { SETTING_ENTRIES } from '../../src/home/settings.ts'

function messageOf(sources: Parameters<typeof readConfig>[0]): string {
  try {
    readConfig(sources)
  } catch (error) {
    expect(error).toMatchObject({ name: 'HomeError', code: 'CONFIG_INVALID' })
    return (error as Error).message
  }
  throw new Error('the configuration was taken')
}

describe('the text of config.toml', () => {
  test('explains every setting with its default and variable, units where there are any', () => {
    const text = formatConfig()
    for (const { key, variable, setting } of SETTING_ENTRIES) {
      const block = text.split('\n\n').find((part) => part.includes(`Environment: ${variable}.`))
      expect(block, key).toContain(`# ${setting.meaning}\n`)
      expect(block, key).toMatch(new RegExp(`\n${key} = `))
      expect(block, key).toContain('Default: ')
      if (setting.unit !== '') expect(block, key).toContain(`Unit: ${setting.unit}.`)
      else expect(setting.kind, `${key} counts something, so it has a unit`).not.toBe('number')
    }
    expect(text).toContain(
      '# Unit: bytes. Default: 4194304. Environment: QUORATE_API_BODY_BYTES_MAX.\nbodyBytesMax = 4194304',
    )
  })

  test('reads back to the defaults, and to the values it was made with', () => {
    expect(readConfig({ text: formatConfig() })).toEqual(readConfig({}))
    const settings = { name: 'berlin', 'api.port': 4601, 'p2p.bootstrap': ['/dns4/a.example/tcp/1'], 'p2p.mdns': false }
    const config = readConfig({ text: formatConfig(settings) })
    expect(config).toMatchObject({
      node: { name: 'berlin' },
      api: { host: '127.0.0.1', port: 4601 },
      p2p: { bootstrap: ['/dns4/a.example/tcp/1'], mdns: false, listen: ['/ip4/127.0.0.1/tcp/4700'] },
    })
  })
})

describe('overriding', () => {
  const text = 'name = "file"\n[api]\nport = 1\nhost = "0.0.0.0"\n[log]\nlevel = "warn"'

  test('the environment beats the file, flags beat both', () => {
    const environment = { QUORATE_API_PORT: '2', QUORATE_NAME: 'environment', PATH: '/bin' }
    const config = readConfig({ text, environment, flags: { 'api.port': '3', 'log.level': undefined } })
    expect(config.api.port).toBe(3)
    expect(config.node.name).toBe('environment')
    expect(config.api.host).toBe('0.0.0.0')
    expect(config.log.level).toBe('warn')
  })

  test('reads numbers, flags and lists from text', () => {
    const environment = {
      QUORATE_P2P_MDNS: 'false',
      QUORATE_P2P_LISTEN: '/ip4/127.0.0.1/tcp/1, /ip6/::1/tcp/2',
      QUORATE_P2P_ANNOUNCE: '',
      QUORATE_LEDGER_HISTORY_BLOCKS: '77',
    }
    const config = readConfig({ environment })
    expect(config.p2p).toMatchObject({ mdns: false, listen: ['/ip4/127.0.0.1/tcp/1', '/ip6/::1/tcp/2'], announce: [] })
    expect(config.ledger.historyBlocks).toBe(77)
  })

  test('leaves variables of the command line and of other programs alone', () => {
    const environment = { QUORATE_NODE: 'http://127.0.0.1:1', QUORATE_KEYSTORE: 'x', LOG_LEVEL: 'loud' }
    expect(readConfig({ environment })).toEqual(readConfig({}))
  })
})

describe('faults', () => {
  test('a name nobody knows is an error that names the nearest, in all three sources', () => {
    expect(messageOf({ text: '[api]\nprot = 1' })).toContain(
      'api.prot in config.toml is no setting: did you mean api.port?',
    )
    expect(messageOf({ text: '[ap]\nport = 1' })).toContain('ap in config.toml is no setting: did you mean api?')
    expect(messageOf({ text: 'nme = "x"' })).toContain('did you mean name?')
    expect(messageOf({ text: 'entirely_else = 1' })).toContain('remove it; known are')
    expect(messageOf({ environment: { QUORATE_API_PROT: '1' } })).toContain('did you mean QUORATE_API_PORT?')
    expect(messageOf({ flags: { 'api.prt': 1 } as never })).toContain('did you mean api.port?')
  })

  test('a value out of place: what was expected, what came, where from', () => {
    expect(messageOf({ text: '[api]\nport = 70000', file: '/x/config.toml' })).toContain(
      'api.port: expected a whole number from 0 to 65535, got 70000 from /x/config.toml: correct it there',
    )
    expect(messageOf({ environment: { QUORATE_API_PORT: 'high' } })).toContain(
      `got "high" from the environment's QUORATE_API_PORT`,
    )
    expect(messageOf({ environment: { QUORATE_P2P_MDNS: 'yes' } })).toContain('p2p.mdns: expected true or false')
    expect(messageOf({ text: '[log]\nlevel = "loud"' })).toContain('expected one of trace, debug, info')
    expect(messageOf({ text: '[p2p]\nlisten = []' })).toContain('p2p.listen: expected a list, not empty')
    expect(messageOf({ text: '[p2p]\nbootstrap = ["localhost:1"]' })).toContain(
      'addresses like /ip4/192.0.2.1/tcp/4700',
    )
    expect(messageOf({ text: 'api = 1' })).toContain('api in config.toml is a section: write [api]')
    expect(messageOf({ text: 'name = 1987-07-05' })).toContain('name: expected 1 to 64 letters')
  })

  test('all of them at once', () => {
    const message = messageOf({ text: '[api]\nport = -1\nx = 1', environment: { QUORATE_LOG_LEVEL: 'loud' } })
    for (const path of ['api.port', 'api.x', 'log.level']) expect(message).toContain(path)
  })

  test('text that is no TOML, with the line', () => {
    expect(messageOf({ text: 'name = "a"\n[api' })).toMatch(/config\.toml is not TOML at line 2, column \d+/)
  })
})
