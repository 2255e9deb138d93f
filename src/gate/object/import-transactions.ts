/**
 * Parts the statements of a chunk into transactions. While one runs, D1 does nothing else, so each is as long as D1 does in
 * some 10 ms, by what the lines of the one before wrote. Pure.
 */
import type { PlannedLine, TransactionWork } from '../protocol/imports.ts'

/** The most lines and statements of one transaction. */
export const TRANSACTION_BOUNDS = { lines: 50, statements: 10 }

/** Rows that a transaction may write: a creation without subscribers writes 13. Each endpoint that wants its event adds five. */
const TRANSACTION_ROWS = 700
/** The full-text index takes the old words of a customer out one by one. D1 counts no row for that, which takes the time of so many. */
const WORDS_ROWS = 100
/** A transaction of fewer lines would take longer to send than to do. */
const TRANSACTION_LINES_MIN = 5

/** Returns how many lines a transaction may have, after one of these lines that did this work. */
export function transactionLines(lines: number, { rowsWritten, wordsChanged }: TransactionWork): number {
  const affordable = Math.floor((TRANSACTION_ROWS * lines) / Math.max(1, rowsWritten + WORDS_ROWS * wordsChanged))
  return Math.min(TRANSACTION_BOUNDS.lines, Math.max(TRANSACTION_LINES_MIN, affordable))
}

/**
 * Returns the statements as transactions that follow each other. A longer statement becomes several. `linesMax` is asked as
 * each transaction is made: the one before may have been done by then.
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
      const free = linesMax(segment) - transaction.flat().length
      transaction.push(segment.slice(from, from + free))
      from += free
    }
  }
  if (transaction.length > 0) yield transaction
}

/** How many lines a transaction of a gate may have, of lines that create and of lines that update. */
export class ImportPace {
  /** By what the last transaction wrote. Nobody knows what the first ones will write. */
  readonly #linesMax: { creates: number; updates: number | null } = { creates: TRANSACTION_BOUNDS.lines, updates: null }

  /** Returns the lines of the next transaction with lines of this segment. Begins with few if these may be changes of words. */
  readonly next = (segment: readonly PlannedLine[]): number => this.#of(segment, TRANSACTION_LINES_MIN)

  /** Returns the lines of a transaction as far as is known, which decides the price of a chunk. */
  readonly known = (segment: readonly PlannedLine[]): number => this.#of(segment, TRANSACTION_BOUNDS.lines)

  /** Notes the work of a transaction that has ended. */
  note(transaction: readonly PlannedLine[][], work: TransactionWork): void {
    const lines = transaction.flat()
    this.#linesMax[lines.every(isCreation) ? 'creates' : 'updates'] = transactionLines(lines.length, work)
  }

  #of(segment: readonly PlannedLine[], unknown: number): number {
    return segment[0] && isCreation(segment[0]) ? this.#linesMax.creates : (this.#linesMax.updates ?? unknown)
  }
}

function isCreation({ customerId }: PlannedLine): boolean {
  return customerId === null
}
