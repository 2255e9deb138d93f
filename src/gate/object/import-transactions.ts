/**
 * Parts the statements of a chunk into transactions. While one runs, D1 does nothing else, so each is as long as D1 does in
 * some 10 ms, by how long the one before took. Pure.
 */
import { BULK_BOUNDS } from '../../registry/bulk.ts'
import type { PlannedLine, TransactionWork } from '../protocol/imports.ts'

/** The most lines and statements of one transaction. */
export const TRANSACTION_BOUNDS = { lines: BULK_BOUNDS.chunkLinesMax, statements: 10 }

/** How long D1 may work on a transaction. */
const TRANSACTION_MS = 10
/** D1 may count whole milliseconds, and none for less. */
const TRANSACTION_MS_MIN = 0.5
/** A transaction of fewer lines would take longer to send than to do. */
const TRANSACTION_LINES_MIN = 5
/** One that was slow by chance makes those that follow no smaller than by this factor, and one that was fast no larger. */
const CHANGE_MAX = 2
/** The first lines: nobody knows what they will take. An update may be a change of words, which takes many times as long as others. */
const FIRST_LINES = { creates: 50, updates: 10 }

/** The lines of a transaction that permits are taken for, and the rows that it may write for them. */
const PRICED = { lines: 50, rows: 700 }
/** The full-text index takes the old words of a customer out one by one. D1 counts no row for that, which takes the time of so many. */
const WORDS_ROWS = 100

/** Returns how many lines a transaction may have, after one of `lines` that did this work while it might have had `linesMax`. */
export function transactionLines(linesMax: number, lines: number, { durationMs }: TransactionWork): number {
  const affordable = Math.floor((TRANSACTION_MS * lines) / Math.max(TRANSACTION_MS_MIN, durationMs))
  const near = Math.min(linesMax * CHANGE_MAX, Math.max(Math.ceil(linesMax / CHANGE_MAX), affordable))
  return Math.min(TRANSACTION_BOUNDS.lines, Math.max(TRANSACTION_LINES_MIN, near))
}

/** Returns the lines of one of the transactions that a chunk pays for, by the rows that these lines have written. */
export function pricedLines(lines: number, { rowsWritten, wordsChanged }: TransactionWork): number {
  const affordable = Math.floor((PRICED.rows * lines) / Math.max(1, rowsWritten + WORDS_ROWS * wordsChanged))
  return Math.min(PRICED.lines, Math.max(TRANSACTION_LINES_MIN, affordable))
}

/**
 * Returns the statements as transactions that follow each other. A longer statement becomes several of about one length.
 * `linesMax` is asked as each transaction is made: the one before may have been done by then.
 */
export function* transactionsOf(
  segments: readonly PlannedLine[][],
  linesMax: (segment: readonly PlannedLine[]) => number = () => TRANSACTION_BOUNDS.lines,
): Generator<PlannedLine[][]> {
  let transaction: PlannedLine[][] = []
  for (const segment of segments) {
    for (let from = 0; from < segment.length; ) {
      const isFull = () =>
        transaction.length === TRANSACTION_BOUNDS.statements || transaction.flat().length >= linesMax(segment)
      if (transaction.length > 0 && isFull()) {
        yield transaction
        transaction = []
      }
      const [max, left] = [linesMax(segment), segment.length - from]
      const free = transaction.length > 0 ? max - transaction.flat().length : Math.ceil(left / Math.ceil(left / max))
      transaction.push(segment.slice(from, from + free))
      from += free
      if (from < segment.length) {
        yield transaction
        transaction = []
      }
    }
  }
  if (transaction.length > 0) yield transaction
}

/** How many lines a transaction of a gate may have, of lines that create and of lines that update. */
export class ImportPace {
  readonly #linesMax = { ...FIRST_LINES }
  readonly #priced = { creates: PRICED.lines, updates: PRICED.lines }

  /** Returns the lines of the next transaction with lines of this segment. */
  readonly next = (segment: readonly PlannedLine[]): number => this.#linesMax[kindOf(segment)]

  /** Returns the lines of a transaction that decides the price of a chunk: it does not depend on how busy D1 is. */
  readonly priced = (segment: readonly PlannedLine[]): number => this.#priced[kindOf(segment)]

  /** Notes the work of a transaction that has ended. */
  note(transaction: readonly PlannedLine[][], work: TransactionWork): void {
    const lines = transaction.flat()
    const kind = kindOf(lines)
    this.#linesMax[kind] = transactionLines(this.#linesMax[kind], lines.length, work)
    this.#priced[kind] = pricedLines(lines.length, work)
  }
}

function kindOf(lines: readonly PlannedLine[]): 'creates' | 'updates' {
  return lines.every(({ customerId }) => customerId === null) ? 'creates' : 'updates'
}
