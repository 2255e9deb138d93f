/** Checks the pages: their computed tables are up to date, and every link inside the repository leads to a file and a heading. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { billTable, COUNTS, MONTHS, PRICES, priceOf, totalOf } from '../../../bench/bill.ts'
import { TABLES, written } from '../../../bench/docs.ts'

const pages = ['.', 'docs', 'src', 'test', 'examples'].flatMap((folder) =>
  readdirSync(folder, { recursive: folder !== '.', encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !name.includes('node_modules'))
    .map((name) => path.join(folder, name)),
)

it.each(Object.keys(TABLES))('keeps the tables of %s as npm run docs writes them', (page) => {
  const text = readFileSync(page, 'utf8')
  expect(text).toBe(written(page, text))
})

it('adds the bill up, and bills nothing that is included', () => {
  const [small, large] = MONTHS
  for (const unit of Object.keys(PRICES) as (keyof typeof PRICES)[])
    expect(priceOf(unit, PRICES[unit].included)).toBe(0)
  expect(priceOf('kvWrites', 3_000_000)).toBe(10)
  for (const month of [small, large]) {
    if (!month) throw new Error('there are two months')
    const cells = billTable()
      .split('\n')
      .map((line) => line.split('|').map((cell) => cell.trim()))
    const at = month === small ? 4 : 6
    const shown = cells.slice(2, -1).map((row) => Number(row[at]?.replaceAll(',', '')))
    expect(shown.reduce((sum, usd) => sum + usd, 0)).toBeCloseTo(totalOf(month), 1)
  }
  expect(COUNTS.gateRowsOfWrite).toBe(4)
})

/** Returns the anchors that GitHub makes from headings. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

it.each(pages)('finds the target of every link of %s', (page) => {
  const text = readFileSync(page, 'utf8')
  for (const [, target = ''] of text.matchAll(/\]\((?![a-z]+:)([^)\s]+)\)/g)) {
    const [file = '', anchor] = target.split('#')
    const linked = file === '' ? page : path.join(path.dirname(page), file)
    expect(existsSync(linked), `${page}: ${target}`).toBe(true)
    if (anchor !== undefined) expect(anchorsOf(readFileSync(linked, 'utf8')), `${page}: ${target}`).toContain(anchor)
  }
})
