// `quorate contract check`: whether the code that a network runs is made from this source.
import { createHash } from 'node:crypto'
import { relative } from 'node:path'
import { define, type Run } from './command.ts'
import { CliError, EXIT_FAILED, EXIT_OK } from './error.ts'
import { rememberHeights } from './heights.ts'
import { fields } from './table.ts'

interface CodeDocument {
  name: string
  codeHash: string
  version: number
  code: string
}

export function checkCommand(run: Run) {
  return define<{ source: string }>(run, 'check <name>', 'whether the deployed code is built from a source', {
    needs: ['node', 'keystore'],
    set: (command) =>
      command
        .requiredOption('--source <path>', 'a folder with index.ts, or one file')
        .addHelpText('after', '\nExits with 1 where it is not. The same source and lockfile give the same bytes.'),
    async handle(context, [name], { source }) {
      const [{ bundleWithMap }, { createPositions }] = await Promise.all([
        import('../contract/bundle.ts'),
        import('../contract/positions.ts'),
      ])
      const mapped = await bundleWithMap(source)
      const nodes = await context.nodes()
      await rememberHeights(context, nodes)
      const deployed = (await nodes.read(`/v1/contracts/${encodeURIComponent(name!)}/code`)) as CodeDocument
      const { code, codeHash } = mapped.bundle
      const actual = createHash('sha256').update(deployed.code, 'utf8').digest('hex')
      if (actual !== deployed.codeHash) {
        const given = `the node gives code with hash ${actual} as ${deployed.codeHash}`
        throw new CliError('BAD_ANSWER', `${name}: ${given}: do not trust it, ask another node with --node`)
      }
      const { version } = deployed
      if (codeHash === deployed.codeHash) {
        context.print(
          { name, version, same: true, codeHash },
          `${name} version ${version} is built from this source\ncode hash  ${codeHash}`,
        )
        return EXIT_OK
      }
      const index = firstDifference(code, deployed.code)
      const position = createPositions(mapped).at(index)
      const place = position && { ...position, file: relative(process.cwd(), position.file) }
      const difference = {
        index,
        position: place ?? null,
        built: code.slice(index, index + 60),
        deployed: deployed.code.slice(index, index + 60),
      }
      const summary = fields([
        ['deployed', deployed.codeHash],
        ['built here', codeHash],
        [
          'first difference',
          place === undefined
            ? `character ${index}`
            : `character ${index}, ${place.file}:${place.line}:${place.column}`,
        ],
        ['deployed has', difference.deployed || '(its end)'],
        ['built has', difference.built || '(its end)'],
      ])
      const document = { name, version, same: false, codeHash: deployed.codeHash, builtHash: codeHash, difference }
      context.print(document, `${name} version ${version} is NOT built from this source\n${summary}`)
      return EXIT_FAILED
    },
  })
}

function firstDifference(a: string, b: string): number {
  let index = 0
  while (index < a.length && a[index] === b[index]) index++
  return index
}
