/**
 * `npm run docs`: writes the tables of docs/ that are computed, between their marks. `npm run docs -- --check` writes
 * nothing and fails if one differs; `test/node/docs/computed-tables.test.ts` runs that.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { RULES } from '../examples/alerts/src/rules.ts'
import { billFacts, billTable } from './bill.ts'

/** The pages, and the table in each between `<!-- NAME: written by npm run docs -->` and `<!-- end of NAME -->`. */
export const TABLES: Readonly<Record<string, Readonly<Record<string, () => string>>>> = {
  'docs/operations/growth.md': { bill: () => `${billTable()}\n\n${billFacts()}` },
  'docs/observability.md': { alerts: alertsTable },
}

function alertsTable(): string {
  const rows = Object.entries(RULES).map(
    ([event, { level, when, means, todo }]) => `| \`${event}\` | ${level} | ${when} | ${means} | ${todo} |`,
  )
  return ['| line | level | posted | means | what to do |', '| --- | --- | --- | --- | --- |', ...rows].join('\n')
}

/** Returns the page with its tables as they should be. Throws if a page has no place for one. */
export function written(page: string, text: string): string {
  let result = text
  for (const [name, table] of Object.entries(TABLES[page] ?? {})) {
    const [begin, end] = [`<!-- ${name}: written by npm run docs -->`, `<!-- end of ${name} -->`]
    const [from, to] = [result.indexOf(begin), result.indexOf(end)]
    if (from === -1 || to === -1) throw new Error(`${page} has no place between ${begin} and ${end}`)
    result = `${result.slice(0, from + begin.length)}\n\n${table()}\n\n${result.slice(to)}`
  }
  return formatted(page, result)
}

function formatted(page: string, text: string): string {
  const args = ['node_modules/@biomejs/biome/bin/biome', 'format', `--stdin-file-path=${page}`]
  return execFileSync(process.execPath, args, { input: text, encoding: 'utf8' })
}

if (import.meta.main) {
  const isCheck = process.argv.includes('--check')
  for (const page of Object.keys(TABLES)) {
    const before = readFileSync(page, 'utf8')
    const after = written(page, before)
    if (before === after) continue
    if (isCheck) {
      console.error(`${page} is not what npm run docs writes: run it`)
      process.exitCode = 1
    } else {
      writeFileSync(page, after)
      console.log(`Written: ${page}`)
    }
  }
}
