/**
 * Refuses phrases that this repository does not use (`prose-rules.ts`). Part of `npm run lint`.
 *
 *     node scripts/check-prose.mjs             fails if a file has one
 *     node scripts/check-prose.mjs src/gate    looks at these files and folders only
 */
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { findingsIn } from './prose-rules.ts'

const FILES = ['**/*.{ts,tsx,mjs,js,sql,md,toml,yml,yaml}', '.github/**/*.{md,yml}', '.changeset/*.md', '.ci/*']
const NOT_ENTERED = ['node_modules', 'dist', 'coverage']
const GENERATED = /^public\/(?:openapi-explorer\.js|console\/)|(?:^|\/)worker-configuration\.d\.ts$/
/** Files that have the refused phrases as data, and words that a library gives a meaning of its own. */
const EXCEPTIONS = [
  { file: 'scripts/check-prose.mjs' },
  { file: 'scripts/prose-rules.ts' },
  { file: 'test/node/docs/prose.test.ts' },
  { file: 'drizzle.config.ts', found: 'dialect' },
  { file: 'test/node/migrations/drizzle.test.ts', found: 'dialect' },
]

const under = process.argv.slice(2).map((name) => path.normalize(name).replace(/\/$/, ''))

for (const file of filesOfRepository().filter(isWanted)) {
  for (const { line, found, instead } of findingsOf(file)) {
    console.error(`${file}:${line}  "${found}": ${instead}`)
    process.exitCode = 1
  }
}

function isWanted(file) {
  return under.length === 0 || under.some((name) => name === '.' || file === name || file.startsWith(`${name}/`))
}

function filesOfRepository() {
  const found = globSync(FILES, { exclude: (name) => NOT_ENTERED.includes(path.basename(name)) })
  const names = new Set(found.map((name) => name.replaceAll(path.sep, '/')))
  return [...names].filter((name) => !GENERATED.test(name)).sort()
}

function findingsOf(file) {
  const exceptions = EXCEPTIONS.filter((exception) => exception.file === file)
  return findingsIn(file, readFileSync(file, 'utf8')).filter(
    ({ found }) => !exceptions.some((exception) => exception.found === undefined || exception.found === found),
  )
}
