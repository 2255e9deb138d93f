/**
 * `npm run migration -- what_it_adds`: has drizzle-kit write a migration for what changed in `src/storage/schema`, and adds
 * the triggers whose JSON of a customer the table of fields changed.
 */
import { spawnSync } from 'node:child_process'
import { appendFileSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { customerTriggers, withDocuments } from './customer-documents.ts'

const FOLDER = 'migrations'
const BREAKPOINT = '\n--> statement-breakpoint\n'

const name = process.argv[2]
if (!/^\w+$/.test(name ?? '')) {
  console.error('npm run migration -- what_it_adds: name the change in letters, digits and _')
  process.exit(2)
}

const before = files()
const drizzleKit = ['node_modules/drizzle-kit/bin.cjs', 'generate', '--name', name]
const { status } = spawnSync(process.execPath, drizzleKit, { stdio: 'inherit' })
if (status !== 0) process.exit(status ?? 1)
const added = files().find((file) => !before.includes(file))
const triggers = customerTriggers(before.map((file) => readFileSync(path.join(FOLDER, file), 'utf8')))
const first = triggers.findIndex(({ text }) => withDocuments(text) !== text)
if (first !== -1) {
  if (!added) {
    console.error('The JSON of a customer changed, but no column: edit the triggers in a migration by hand.')
    process.exit(1)
  }
  // SQLite runs the newest trigger first, so those behind the first one that changes are made anew too.
  const anew = triggers.slice(first)
  const statements = [
    ...anew.map((trigger) => `DROP TRIGGER ${trigger.name};`),
    ...anew.map(({ text }) => withDocuments(text)),
  ]
  appendFileSync(path.join(FOLDER, added), `${BREAKPOINT}${statements.join(BREAKPOINT)}\n`)
  console.log(`${added}: makes ${anew.map((trigger) => trigger.name).join(', ')} anew`)
}

function files() {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.sql'))
    .sort()
}
