/** Makes the report of a check: a table, the meaning of each difference, and an exit code. Pure. */
import type { Verdict } from './experiment.ts'
import type { Row } from './run.ts'

const WORDS: Record<Verdict, string> = {
  expected: 'ok',
  harmless: 'differs, harmless',
  different: 'DIFFERS',
  unclear: 'unclear',
}

/** The exit codes of `npm run deploy -- --check`. */
export const EXIT = { asExpected: 0, differences: 1, couldNotRun: 2 }

/** Returns 0 if all is as expected, 1 if anything differs, and 2 if nothing differs and a check is unclear. */
export function exitCodeOf(rows: Row[]): number {
  if (rows.some(({ verdict }) => verdict === 'different' || verdict === 'harmless')) return EXIT.differences
  return rows.every(({ verdict }) => verdict === 'expected') ? EXIT.asExpected : EXIT.couldNotRun
}

/** Returns a table of the expected and the observed, and below it a paragraph for each row that is not as expected. */
export function report(rows: Row[]): string {
  const cells = [
    ['#', 'check', 'expected', 'seen', ''],
    ...rows.map((row) => [String(row.number), row.check, row.expected, row.seen, WORDS[row.verdict]]),
  ]
  const widths = [0, 1, 2, 3, 4].map((at) => Math.max(...cells.map((line) => line[at]?.length ?? 0)))
  const table = cells.map((line) =>
    line
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  const paragraphs = rows.filter(({ meaning }) => meaning !== null).map(paragraphOf)
  return [table.join('\n'), ...paragraphs, summaryOf(rows)].join('\n\n')
}

/** Returns the report as JSON. */
export function reportJson(rows: Row[]): string {
  return JSON.stringify({ exitCode: exitCodeOf(rows), checks: rows }, null, 2)
}

function paragraphOf({ number, check, verdict, meaning, change }: Row): string {
  const places = change.map(({ file, text }) => `\n    change: ${file} (${text})`).join('')
  return `${number}. ${check}: ${WORDS[verdict]}\n    ${meaning}${places}`
}

function summaryOf(rows: Row[]): string {
  const count = (verdict: Verdict) => rows.filter((row) => row.verdict === verdict).length
  const [harmless, different, unclear] = [count('harmless'), count('different'), count('unclear')]
  return `${rows.length} checks: ${count('expected')} as expected, ${different} different, ${harmless} different but harmless, ${unclear} unclear.`
}
