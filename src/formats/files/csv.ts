/**
 * Reads and writes CSV (RFC 4180), piece by piece. A record that breaks the rules of quoting is returned with its fault,
 * and reading goes on behind it: no cell is ever completed or cut by guessing. Pure.
 *
 * A library would stop the whole file at such a record, or change it silently.
 */

/** A fault of a record, and the line of the file where it is. */
export interface CsvFault {
  kind: 'stray_quote' | 'text_after_quote' | 'unclosed_quote' | 'too_long'
  line: number
}

export interface CsvRecord {
  /** The lines of the file that it begins and ends in, counted from 1. */
  line: number
  endLine: number
  /** Incomplete if there is a fault. */
  cells: string[]
  /** The record as in the file, without its line end. Null if it is too long. */
  raw: string | null
  /** The position behind it in the text, in UTF-16 units. */
  end: number
  fault: CsvFault | null
}

/** The characters that may separate cells. */
export const DELIMITERS = [',', ';', '\t', '|'] as const

const QUOTE = '"'
const QUOTE_CODE = 0x22
const LF = 0x0a
const CR = 0x0d

/** Returns a record as text with a CRLF behind it. */
export function csvRecord(cells: readonly string[], delimiter = ','): string {
  const quoted = cells.map((cell) => (needsQuotes(cell, delimiter) ? `"${cell.replaceAll('"', '""')}"` : cell))
  // Without quotes, a single empty cell would be a blank line.
  return `${cells.length === 1 && cells[0] === '' ? '""' : quoted.join(delimiter)}\r\n`
}

/** A cell with any delimiter is quoted: a spreadsheet may take another one than the file for that of its cells. */
function needsQuotes(cell: string, delimiter: string): boolean {
  return /[",;|\t\r\n]/.test(cell) || cell.includes(delimiter)
}

/** Returns the delimiters that stand in the text outside of quotes. */
export function delimitersIn(header: string): string[] {
  const outside = header.replaceAll(/"[^"]*("|$)/g, '')
  return DELIMITERS.filter((delimiter) => outside.includes(delimiter))
}

export class CsvReader {
  readonly #delimiter: number
  readonly #lengthMax: number
  /** Text from the beginning of the record that is being read. */
  #text = ''
  /** Position in the whole text where `#text` begins. */
  #start: number
  #line: number
  /** Whether a carriage return alone ends a line: it does if it ends the first one. Null until then. */
  #crEnds: boolean | null = null
  /** Set while the rest of a record that is too long is skipped. */
  #skipping: { line: number; inQuotes: boolean } | null = null

  /**
   * `lengthMax`: the most UTF-16 units of a record. `line` and `start`: where the text begins, if lines before it were
   * read in another way.
   */
  constructor(delimiter: string, lengthMax: number, line = 1, start = 0) {
    this.#delimiter = delimiter.charCodeAt(0)
    this.#lengthMax = lengthMax
    this.#line = line
    this.#start = start
  }

  push(text: string): CsvRecord[] {
    this.#text += text
    return this.#read(false)
  }

  /** Returns the last record, which may have no line end. */
  end(): CsvRecord[] {
    return this.#read(true)
  }

  #read(isLast: boolean): CsvRecord[] {
    const records: CsvRecord[] = []
    let from = 0
    while (from < this.#text.length || (isLast && this.#skipping)) {
      const next = this.#skipping ? this.#skip(from, isLast) : this.#record(from, isLast)
      if (!next) break
      records.push({ ...next.record, end: this.#start + next.to })
      this.#line = next.record.endLine + 1
      from = next.to
    }
    this.#start += from
    this.#text = this.#text.slice(from)
    if (!this.#skipping && this.#text.length > this.#lengthMax) {
      this.#skipping = { line: this.#line, inQuotes: false }
      records.push(...this.#read(isLast))
    }
    return records
  }

  /** Returns the record at a position, or null if its end has not been read yet. */
  #record(from: number, isLast: boolean) {
    const text = this.#text
    const { length } = text
    const cells: string[] = []
    let fault: CsvFault | null = null
    let line = this.#line
    let at = from
    for (;;) {
      if (text.charCodeAt(at) === QUOTE_CODE) {
        const close = closingQuote(text, at)
        if (close === -1) {
          if (!isLast) return null
          const opened = { kind: 'unclosed_quote', line } as const
          const cell = text.slice(at + 1)
          const endLine = line + this.#lineEndsIn(cell) - (cell.endsWith('\n') ? 1 : 0)
          return { record: { line: this.#line, endLine, cells, raw: text.slice(from), fault: opened }, to: length }
        }
        if (close + 1 === length && !isLast) return null
        const cell = text.slice(at + 1, close)
        line += this.#lineEndsIn(cell)
        cells.push(cell.replaceAll('""', QUOTE))
        at = close + 1
        const end = this.#endOfPlain(at, isLast)
        if (end.to === null) return null
        if (end.to > at) {
          fault ??= { kind: 'text_after_quote', line }
          const behind = this.#endOfLine(at, isLast)
          if (behind === null) return null
          at = behind
        }
      } else {
        const { to, hasQuote } = this.#endOfPlain(at, isLast)
        if (to === null) return null
        if (hasQuote) fault ??= { kind: 'stray_quote', line }
        cells.push(text.slice(at, to))
        at = to
      }
      if (at < length && text.charCodeAt(at) === this.#delimiter) {
        at++
        continue
      }
      if (at === length && !isLast) return null
      const raw = at - from > this.#lengthMax ? null : text.slice(from, at)
      if (raw === null) fault ??= { kind: 'too_long', line: this.#line }
      return { record: { line: this.#line, endLine: line, cells, raw, fault }, to: this.#behindLineEnd(at) }
    }
  }

  /** Returns the end of an unquoted cell; null if it has not been read yet. */
  #endOfPlain(from: number, isLast: boolean): { to: number | null; hasQuote: boolean } {
    const text = this.#text
    let hasQuote = false
    for (let at = from; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code === this.#delimiter || code === LF) return { to: at, hasQuote }
      if (code === CR) {
        if (at + 1 === text.length && !isLast) return { to: null, hasQuote }
        if (this.#isEnd(at)) return { to: at, hasQuote }
      } else if (code === QUOTE_CODE) hasQuote = true
    }
    return { to: isLast ? text.length : null, hasQuote }
  }

  /** Returns the end of the line; null if it has not been read yet. */
  #endOfLine(from: number, isLast: boolean): number | null {
    for (let at = from; at < this.#text.length; at++) {
      const code = this.#text.charCodeAt(at)
      if (code === LF || (code === CR && (isLast || at + 1 < this.#text.length) && this.#isEnd(at))) return at
    }
    return isLast ? this.#text.length : null
  }

  /** Returns whether a carriage return ends a line. */
  #isEnd(at: number): boolean {
    return this.#text.charCodeAt(at + 1) === LF || this.#crEnds !== false
  }

  #lineEndsIn(cell: string): number {
    return cell.match(this.#crEnds === true ? /\r\n?|\n/g : /\n/g)?.length ?? 0
  }

  #behindLineEnd(at: number): number {
    if (at === this.#text.length) return at
    const isCr = this.#text.charCodeAt(at) === CR
    const isPair = isCr && this.#text.charCodeAt(at + 1) === LF
    this.#crEnds ??= isCr && !isPair
    return at + (isPair ? 2 : 1)
  }

  /** Counts lines and quotes of skipped text. Returns the position of the line end of the record, or null. */
  #passOver(from: number): number | null {
    const skipping = this.#skipping
    if (!skipping) return null
    for (let at = from; at < this.#text.length; at++) {
      const code = this.#text.charCodeAt(at)
      if (code === QUOTE_CODE) skipping.inQuotes = !skipping.inQuotes
      else if (code === LF) {
        if (!skipping.inQuotes) return at
        this.#line++
      }
    }
    this.#start += this.#text.length - from
    this.#text = this.#text.slice(0, from)
    return null
  }

  #skip(from: number, isLast: boolean) {
    const skipping = this.#skipping
    const at = this.#passOver(from)
    if (!skipping || (at === null && !isLast)) return null
    const { line, inQuotes } = skipping
    this.#skipping = null
    const fault: CsvFault = { kind: inQuotes ? 'unclosed_quote' : 'too_long', line }
    const record = { line, endLine: this.#line, cells: [], raw: null, fault }
    return { record, to: at === null ? this.#text.length : at + 1 }
  }
}

/** Returns the position of the quote that ends the cell which begins at `open`; -1 if there is none. */
function closingQuote(text: string, open: number): number {
  let at = text.indexOf(QUOTE, open + 1)
  while (at !== -1 && text.charCodeAt(at + 1) === QUOTE_CODE) at = text.indexOf(QUOTE, at + 2)
  return at
}
