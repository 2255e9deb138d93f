/** Writes figures to docs/figures.md, in the place that their command has there. */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'

const PAGE = 'docs/figures.md'

/**
 * Writes the table, whose first row is the headings, below the `facts` if there are some. Throws if the page has no place with
 * this name and command.
 */
export function writeToPage(name: string, command: string, rows: readonly (readonly string[])[], facts = ''): void {
  const page = readFileSync(PAGE, 'utf8')
  const [begin, end] = [`<!-- ${name}: written by ${command} -->`, `<!-- end of ${name} -->`]
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from === -1 || to === -1) throw new Error(`${PAGE} has no place for figures between ${begin} and ${end}`)
  const [headings = [], ...body] = rows
  const table = [headings, headings.map(() => '---'), ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
  const written = [facts, table].filter(Boolean).join('\n\n')
  writeFileSync(PAGE, `${page.slice(0, from + begin.length)}\n\n${written}\n\n${page.slice(to)}`)
  execFileSync(process.execPath, ['node_modules/@biomejs/biome/bin/biome', 'format', '--write', PAGE])
  console.log(`Written to ${PAGE}.`)
}
