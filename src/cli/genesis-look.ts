// `quorate genesis add-validator`, `show` and `check`.
import type { Fault } from '../genesis/fault.ts'
import { define, type Run } from './command.ts'
import { CliError, EXIT_FAILED, EXIT_OK } from './error.ts'
import { readDocumentText, readEntry, writeDocument } from './genesis-file.ts'
import { fields, table } from './table.ts'

export function addValidatorCommand(run: Run) {
  return define<{ out?: string }>(
    run,
    'add-validator <file> <entry...>',
    "add validators' public entries to a genesis document",
    {
      set: (command) =>
        command
          .option('--out <file>', 'write there instead of over the document')
          .addHelpText(
            'after',
            '\nENTRY is a file with what `quorate init --json` printed, `-` for standard input, or that JSON itself.',
          ),
      async handle(context, args, { out }) {
        const [file, entries] = args as unknown as [string, string[]]
        const { addValidator, readGenesisDraft } = await import('../genesis/document.ts')
        const draft = readGenesisDraft(await readDocumentText(context.io, file))
        if (!draft.ok) throw await refusal(file, draft.faults)
        let { genesis } = draft
        for (const given of entries) {
          const added = addValidator(genesis, await readEntry(context, given))
          if (!added.ok) throw await refusal(given.slice(0, 80), added.faults)
          genesis = added.genesis
        }
        await writeDocument(context, genesis, out ?? file)
      },
    },
  )
}

export function showCommand(run: Run) {
  return define(run, 'show <file>', "show a genesis document's hash and what is in it", {
    async handle(context, [file]) {
      const { parseGenesis } = await import('../genesis/document.ts')
      const parsed = parseGenesis(await readDocumentText(context.io, file!))
      if (!parsed.ok) throw await refusal(file!, parsed.faults)
      const { genesis, hash } = parsed
      const { chainId, time, engineHash, validators, parameters, roles, contracts } = genesis
      const { quorumOf } = await import('../types/quorum.ts')
      const document = {
        genesisHash: hash,
        chainId,
        time: new Date(time).toISOString(),
        engineHash,
        quorum: quorumOf(validators.length),
        validators,
        parameters,
        roles,
        contracts: contracts.map(({ name, owner, code }) => ({ name, owner, codeBytes: Buffer.byteLength(code) })),
      }
      const head = fields([
        ['genesis hash', hash],
        ['network', chainId],
        ['time', document.time],
        ['engine', engineHash],
        ['validators', `${validators.length}, ${document.quorum} make a quorum`],
        ['contracts', contracts.length === 0 ? 'none' : contracts.map(({ name }) => name).join(', ')],
        [
          'roles',
          roles.length === 0 ? 'none' : roles.map(({ role, accounts }) => `${role} (${accounts.length})`).join(', '),
        ],
      ])
      const rows = validators.map(({ name, key, log }) => [name, key, log.slice(0, 16)])
      context.print(document, `${head}\n\n${table(['validator', 'key', 'log'], rows)}`)
    },
  })
}

export function checkCommand(run: Run) {
  return define(run, 'check <file>', 'explain every fault of a genesis document', {
    async handle(context, [file]) {
      const { describeFault, parseGenesis } = await import('../genesis/document.ts')
      const [{ engineHash }, { contractFaults }] = await Promise.all([
        import('../execution/engine-hash.ts'),
        import('./genesis-faults.ts'),
      ])
      const text = await readDocumentText(context.io, file!)
      const parsed = parseGenesis(text, { engineHash: engineHash(), now: Date.now() })
      const refused = parsed.ok ? await contractFaults(parsed.genesis) : []
      const faults = parsed.ok ? [...parsed.warnings, ...refused] : parsed.faults
      const ok = parsed.ok && refused.length === 0
      const genesisHash = ok ? parsed.hash : null
      const lines = faults.map((fault) => `${fault.severity}: ${describeFault(fault)} (${fault.code})`)
      const count = errorsOf(faults).length
      const verdict = ok
        ? `sound: genesis hash ${genesisHash}`
        : `cannot be used: ${count} ${count === 1 ? 'fault' : 'faults'}`
      context.print({ ok, genesisHash, faults }, [...lines, `${file}: ${verdict}`].join('\n'))
      return ok ? EXIT_OK : EXIT_FAILED
    },
  })
}

const errorsOf = (faults: Fault[]) => faults.filter(({ severity }) => severity === 'error')

async function refusal(file: string, faults: Fault[]): Promise<CliError> {
  const { describeFault } = await import('../genesis/document.ts')
  return new CliError('GENESIS_INVALID', `${file} cannot be used: ${errorsOf(faults).map(describeFault).join('; ')}`)
}
