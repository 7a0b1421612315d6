// What is known of where peers are: the newest signed record of each validator, and plain addresses of other peers. Kept in a file so
// that a node restarts without its bootstrap nodes. Nothing in the file is trusted: records are verified again when it is read.
import { readFile, rename, writeFile } from 'node:fs/promises'
import { type NetworkLogger, reasonOf } from './port.ts'
import {
  decodeEnvelope,
  dialable,
  ENVELOPES_MAX,
  type Envelope,
  encodeEnvelope,
  type IdentityRecord,
  isRecordSigned,
  peerIdIn,
  readRecord,
  type Verify,
} from './record.ts'

const VALIDATORS_MAX = 512
const OTHERS_MAX = 64
const FILE_BYTES_MAX = 8 * 1024 * 1024

export interface AddressBookOptions {
  file: string | undefined
  genesisHash: string
  verify: Verify
  isValidator(publicKeyHex: string): boolean
  logger: NetworkLogger
}

interface Known {
  record: IdentityRecord
  envelope: Envelope
  version: number
}

export interface AddressBook {
  load(): Promise<void>
  /** Writes the file when something changed; a failure is logged, never thrown. */
  save(): Promise<void>
  /** Takes a record of unknown origin: verified only when it is news about a validator of the current set. */
  learn(
    envelope: Envelope,
  ): { outcome: 'new' | 'known' | 'ignored'; record?: IdentityRecord } | { outcome: 'forged'; reason: string }
  /** Takes a record whose peer is connected and whose signature was checked. */
  put(record: IdentityRecord, envelope: Envelope): void
  /** Remembers where a peer that is no validator was reached. */
  meet(peerId: string, addresses: string[]): void
  /** Validators of the current set. */
  validators(): IdentityRecord[]
  others(): { peerId: string; addresses: string[] }[]
  isValidatorPeer(peerId: string): boolean
  /** Records learned after `version`, oldest first, and the version to ask from next time. */
  since(version: number, max?: number): { envelopes: Envelope[]; version: number }
  /** This node's own sequence number, kept in the file so that it grows also when the clock goes back. */
  sequence: number
}

export function createAddressBook(options: AddressBookOptions): AddressBook {
  const { isValidator } = options
  const known = new Map<string, Known>()
  const others = new Map<string, string[]>()
  let version = 0
  let sequence = Date.now()
  let isDirty = false
  let saving: Promise<void> = Promise.resolve()

  function put(record: IdentityRecord, envelope: Envelope): void {
    const key = record.validator
    if (key === null || !isValidator(key)) return
    if (Buffer.compare(known.get(key)?.envelope.record ?? new Uint8Array(), envelope.record) === 0) return
    known.delete(key)
    known.set(key, { record, envelope, version: ++version })
    others.delete(record.peerId)
    isDirty = true
    if (known.size > VALIDATORS_MAX) evict()
  }

  function evict(): void {
    for (const key of known.keys()) if (!isValidator(key)) known.delete(key)
    for (const key of known.keys()) {
      if (known.size <= VALIDATORS_MAX) return
      known.delete(key)
    }
  }

  function learn(envelope: Envelope): ReturnType<AddressBook['learn']> {
    const record = readRecord(envelope, options.genesisHash)
    if (typeof record === 'string') return { outcome: 'forged', reason: record }
    if (record.validator === null || !isValidator(record.validator)) return { outcome: 'ignored' }
    const current = known.get(record.validator)
    if (current !== undefined && current.record.sequence >= record.sequence) return { outcome: 'known' }
    if (!isRecordSigned(envelope, record, options.verify))
      return { outcome: 'forged', reason: 'the signature on a record is wrong' }
    put(record, envelope)
    return { outcome: 'new', record }
  }

  function meet(peerId: string, addresses: string[]): void {
    const usable = addresses.flatMap((address) => dialable(address, peerId) ?? []).slice(0, 8)
    if (usable.length === 0 || isValidatorPeer(peerId)) return
    if (others.get(peerId)?.join() !== usable.join()) isDirty = true
    others.delete(peerId)
    others.set(peerId, usable)
    if (others.size > OTHERS_MAX) others.delete(others.keys().next().value!)
  }

  function validators(): IdentityRecord[] {
    return [...known.values()].flatMap(({ record }) => (isValidator(record.validator!) ? record : []))
  }

  function isValidatorPeer(peerId: string): boolean {
    return validators().some((record) => record.peerId === peerId)
  }

  function since(from: number, max = ENVELOPES_MAX): { envelopes: Envelope[]; version: number } {
    const fresh = [...known.values()]
      .filter((entry) => entry.version > from && isValidator(entry.record.validator!))
      .sort((a, b) => a.version - b.version)
      .slice(0, max)
    return { envelopes: fresh.map((entry) => entry.envelope), version: fresh.at(-1)?.version ?? from }
  }

  async function load(): Promise<void> {
    if (options.file === undefined) return
    try {
      const text = await readFile(options.file, 'utf8')
      if (text.length > FILE_BYTES_MAX) throw new Error(`it has ${text.length} characters, more than ${FILE_BYTES_MAX}`)
      read(JSON.parse(text))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      options.logger.warn(
        { file: options.file, reason: reasonOf(error) },
        'The address book cannot be read and is started anew; peers are found through bootstrap nodes and discovery.',
      )
    }
  }

  function read(content: { sequence?: unknown; validators?: unknown; others?: unknown }): void {
    if (typeof content.sequence === 'number' && Number.isSafeInteger(content.sequence)) {
      sequence = Math.max(sequence, content.sequence + 1)
    }
    for (const entry of listOfTexts(content.validators, VALIDATORS_MAX)) {
      try {
        learn(decodeEnvelope(Buffer.from(entry, 'base64')))
      } catch {
        // One damaged entry costs only itself: the record comes again from any peer.
      }
    }
    for (const address of listOfTexts(content.others, OTHERS_MAX * 8)) {
      try {
        const peerId = peerIdIn(address)
        if (peerId !== undefined) meet(peerId, [...(others.get(peerId) ?? []), address])
      } catch {
        // As above.
      }
    }
  }

  async function write(): Promise<void> {
    if (options.file === undefined || !isDirty) return
    isDirty = false
    const content = {
      sequence,
      validators: [...known.values()].map(({ envelope }) => Buffer.from(encodeEnvelope(envelope)).toString('base64')),
      others: [...others.values()].flat(),
    }
    try {
      const temporary = `${options.file}.tmp`
      await writeFile(temporary, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 })
      await rename(temporary, options.file)
    } catch (error) {
      isDirty = true
      options.logger.warn(
        { file: options.file, reason: reasonOf(error) },
        'The address book cannot be written; it is tried again.',
      )
    }
  }

  function save(): Promise<void> {
    saving = saving.then(write)
    return saving
  }

  return {
    load,
    save,
    learn,
    put,
    meet,
    validators,
    others: () => [...others].map(([peerId, addresses]) => ({ peerId, addresses })),
    isValidatorPeer,
    since,
    get sequence() {
      return sequence
    },
    set sequence(value) {
      sequence = value
      isDirty = true
    },
  }
}

function listOfTexts(value: unknown, max: number): string[] {
  return Array.isArray(value) ? value.slice(0, max).filter((entry) => typeof entry === 'string') : []
}
