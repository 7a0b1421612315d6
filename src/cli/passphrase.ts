// Passphrases: from a file, from QUORATE_PASSPHRASE, or typed without echo where somebody sits at a terminal.
import { CliError } from './error.ts'
import { type Io, readTextFile } from './io.ts'

export interface PassphraseSource {
  io: Io
  /** `--passphrase-file`. */
  file?: string
}

const PASSPHRASE_LENGTH_MAX = 4_096
const MEND = 'give it with --passphrase-file FILE or QUORATE_PASSPHRASE'

/** The passphrase of an existing key. */
export async function askPassphrase(source: PassphraseSource, name: string): Promise<string> {
  const given = await givenPassphrase(source)
  if (given !== undefined) return given
  return await typed(
    source.io,
    `Passphrase of key "${name}": `,
    `key "${name}" is encrypted and nobody is at a terminal to type its passphrase: ${MEND}`,
  )
}

/** A passphrase for a new key, typed twice. */
export async function choosePassphrase(source: PassphraseSource, name: string): Promise<string> {
  const given = await givenPassphrase(source)
  if (given !== undefined) return given
  const refusal = `key "${name}" needs a passphrase and nobody is at a terminal to type one: ${MEND}, or ask for --unencrypted`
  const first = await typed(source.io, `New passphrase for key "${name}": `, refusal)
  const second = await typed(source.io, 'The same again: ', refusal)
  if (first === second) return first
  throw new CliError('PASSPHRASE_MISMATCH', `key "${name}" was not written: the two passphrases differ; try again`)
}

async function givenPassphrase({ io, file }: PassphraseSource): Promise<string | undefined> {
  // The line's end is the editor's, not the passphrase's.
  const text = file === undefined ? io.env.QUORATE_PASSPHRASE : (await readTextFile(file)).replace(/\r?\n$/, '')
  if (text === undefined || (file === undefined && text === '')) return undefined
  if (text !== '' && text.length <= PASSPHRASE_LENGTH_MAX) return text
  const where = file ?? 'QUORATE_PASSPHRASE'
  throw new CliError(
    'PASSPHRASE_NEEDED',
    `${where} holds no passphrase of 1 to ${PASSPHRASE_LENGTH_MAX} characters: put it there in one line`,
  )
}

async function typed(io: Io, prompt: string, refusal: string): Promise<string> {
  if (io.terminal === undefined) throw new CliError('PASSPHRASE_NEEDED', refusal)
  const text = await readHidden(io.terminal, prompt)
  if (text !== '') return text
  throw new CliError('PASSPHRASE_NEEDED', 'no passphrase was typed; try again')
}

/** Reads one line with echo off. */
function readHidden({ input, output }: NonNullable<Io['terminal']>, prompt: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const finish = () => {
      input.off('data', onData)
      input.setRawMode(false)
      input.pause()
      output.write('\n')
    }
    const onData = (data: Buffer) => {
      for (const character of data.toString('utf8')) {
        if (character === '\r' || character === '\n') {
          finish()
          return resolve(text)
        }
        // Ctrl-C and Ctrl-D arrive as characters while the terminal is raw.
        if (character === '\u0003' || character === '\u0004') {
          finish()
          return reject(new CliError('INTERRUPTED', 'no passphrase was typed; nothing was done'))
        }
        if (character === '\u007f' || character === '\b') text = text.slice(0, -1)
        else if (text.length < PASSPHRASE_LENGTH_MAX) text += character
      }
    }
    output.write(prompt)
    input.setRawMode(true)
    input.resume()
    input.on('data', onData)
  })
}
