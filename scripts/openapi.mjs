/**
 * `npm run openapi` writes public/openapi.json from the zod of the doors; with `--check` it only says whether that file is
 * what would be written. Built here, so that neither the start of an isolate nor a request pays for it.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { openApiDocument } from '../src/http/openapi-document.ts'

const FILE = 'public/openapi.json'

const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
const text = `${JSON.stringify(openApiDocument(version), null, 2)}\n`

if (!process.argv.includes('--check')) {
  writeFileSync(FILE, text)
} else if (readFileSync(FILE, 'utf8') !== text) {
  console.error(`${FILE} is not what the doors say: run \`npm run openapi\` and commit it.`)
  process.exit(1)
}
