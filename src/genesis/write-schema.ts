// Makes genesis/schema.json anew from the shape of the document; genesis/README.md has the command.
import { writeFileSync } from 'node:fs'
import { genesisJsonSchema } from './shape.ts'

writeFileSync(
  new URL('../../genesis/schema.json', import.meta.url),
  `${JSON.stringify(genesisJsonSchema(), null, 2)}\n`,
)
