/**
 * `npm run openapi` writes public/openapi.json from the zod schemas of the APIs. With `--check` it writes nothing, and fails if the
 * file differs. Both name each operation, parameter, field and response that has no description or no example, and what
 * generators of clients could not read, and fail. The file is built here, so that it costs neither the start of an isolate
 * nor a request anything.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { documentationProblems } from '../openapi/check.ts'
import { openApiDocument } from '../openapi/document.ts'

const FILE = 'public/openapi.json'

const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
const document = openApiDocument(version)
const text = `${JSON.stringify(document, null, 2)}\n`
const problems = documentationProblems(document)

if (!process.argv.includes('--check')) {
  writeFileSync(FILE, text)
} else if (readFileSync(FILE, 'utf8') !== text) {
  problems.push(`${FILE} differs from the schemas: run \`npm run openapi\` and commit it.`)
}
for (const problem of problems) console.error(problem)
process.exitCode = problems.length === 0 ? 0 : 1
