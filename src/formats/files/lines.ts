/**
 * Reads a file of customers, CSV or NDJSON, as the lines of an import: the bytes go in piece by piece, and each line comes
 * out as the JSON of one customer or with what is wrong with it. The import route and the import command both read with
 * this, so they agree on every file. Pure.
 */
import type { InputProblem } from '../../registry/errors.ts'
import { type Column, columnsOf, FileFault } from './columns.ts'
import { type CsvFault, CsvReader, type CsvRecord, DELIMITERS, delimitersIn } from './csv.ts'
import { jsonOf } from './rows.ts'
import { EncodingFault, FileText } from './text.ts'

export interface FileOptions {
  format: 'csv' | 'ndjson'
  /** A label of the Encoding Standard. For null, UTF-8, or UTF-16 if the file begins with its BOM. */
  encoding: string | null
  /** One character, or `tab`. For null, the one that the header has. */
  delimiter: string | null
  /** The field of columns by name; see `columnMap`. */
  map: ReadonlyMap<string, string>
  /** The most bytes of the JSON of a line. */
  lineBytesMax: number
}

/** A line that is not blank: `text` is the JSON of a customer, or null if the line has problems. */
export interface FileLine {
  /** The lines of the file that it begins and ends in, counted from 1. */
  line: number
  endLine: number
  text: string | null
  problems: InputProblem[]
  /** The bytes of `text`. */
  bytes: number
  /** The line as in the file. Null if it is too long. */
  raw: string | null
}

const LINE_FAULTS: Record<CsvFault['kind'], [message: string, fix: string]> = {
  stray_quote: ['has a quote inside a cell', 'put the cell in quotes and double the quotes in it'],
  text_after_quote: ['has text behind a closing quote', 'double the quotes inside the cell'],
  unclosed_quote: [
    'has a quote that is never closed',
    'close it, or put the cell in quotes and double the quotes in it',
  ],
  too_long: ['is too long', 'send less of it'],
}

/** A record may be as long as its JSON, and have quotes beside it. */
const RECORD_LENGTH_FACTOR = 2
const UTF8 = new TextEncoder()
const LINE_FEED = 0x0a

export class FileLines {
  /** The names in the header of a CSV file, once it has been read. They are there even if the columns are refused. */
  header: readonly string[] | null = null
  /** The columns of a CSV file, once its header has been read. */
  columns: Column[] | null = null
  /** The delimiter of its cells. */
  delimiter: string
  /** The first line with bytes that are not UTF-8. */
  notUtf8: FileLine | null = null
  readonly #options: FileOptions
  readonly #text: FileText
  #csv: CsvReader | null = null
  /** Text that is not a whole line yet. */
  #rest = ''
  #line = 1
  #end = 0
  /** True once a line of NDJSON that is not blank has been read. */
  #hasLine = false

  /** Throws `FileFault` for an encoding or a delimiter that is none. */
  constructor(options: FileOptions) {
    this.#options = options
    this.delimiter = delimiterNamed(options.delimiter)
    this.#text = orFault(() => new FileText(options.encoding))
  }

  /** Returns the lines that are complete. Throws `FileFault` if the file as a whole cannot be read. */
  push(bytes: Uint8Array): FileLine[] {
    return this.#read(
      orFault(() => this.#text.push(bytes)),
      false,
    )
  }

  /** Returns the last line. */
  end(): FileLine[] {
    return this.#read(
      orFault(() => this.#text.end()),
      true,
    )
  }

  /** Returns whether the header has been read, which decides whether the file can be read at all. */
  get isBegun(): boolean {
    return this.#options.format === 'ndjson' || this.columns !== null
  }

  /** Returns the name of the column that a field of a line comes from; null if there is none. */
  columnOf(field: string): string | null {
    const root = field.split('.', 1)[0]
    const column =
      this.columns?.find((each) => each.field === field) ?? this.columns?.find((each) => each.field === root)
    return column?.name ?? null
  }

  #read(text: string, isLast: boolean): FileLine[] {
    if (this.#options.format === 'ndjson') return this.#readLines(text, isLast)
    const records: CsvRecord[] = []
    if (!this.#csv) {
      this.#rest += text
      const csv = this.#begin(isLast)
      if (!csv) return []
      this.#csv = csv
      records.push(...csv.push(this.#rest))
      this.#rest = ''
    } else records.push(...this.#csv.push(text))
    if (isLast) records.push(...this.#csv.end())
    const lines = records.flatMap((record) => this.#lineOf(record))
    if (isLast && !this.columns) throw fault('is empty', 'name the columns in its first line')
    return lines
  }

  #readLines(text: string, isLast: boolean): FileLine[] {
    const all = this.#rest + text
    const lines: FileLine[] = []
    let from = 0
    while (from < all.length) {
      // An upload may be of nothing but line breaks, and each as a line of its own would take a hundred times longer.
      let next = from
      while (next < all.length && all.charCodeAt(next) === LINE_FEED) next++
      this.#end += next - from
      this.#line += next - from
      from = next
      const found = all.indexOf('\n', from)
      if (found === -1 && !isLast) break
      const part = all.slice(from, found === -1 ? all.length : found)
      from += part.length + 1
      this.#end += part.length + 1
      const line = this.#line++
      const problem = this.#badByteBefore(this.#end)
      if (/^[ \t\r]*$/.test(part)) continue
      if (!this.#hasLine && /^[ \t]*\[/.test(part)) {
        throw fault('is one JSON array', "write each object on a line of its own, as jq -c '.[]' does")
      }
      this.#hasLine = true
      lines.push(
        this.#finished({ line, endLine: line, raw: part, text: part }, problem ? [problem] : [], problem !== null),
      )
    }
    const rest = all.slice(from)
    const isTooLong = rest.length > this.#options.lineBytesMax
    // Keeps one unit more than a line may have, so that the line is found to be too long when it ends.
    const dropped = isTooLong ? rest.length - this.#options.lineBytesMax - 1 : 0
    this.#rest = rest.slice(dropped)
    this.#end += dropped
    return lines
  }

  /** Reads the line that names the delimiter, if there is one, and finds the delimiter of the header. */
  #begin(isLast: boolean): CsvReader | null {
    const { lineBytesMax } = this.#options
    const lengthMax = lineBytesMax * RECORD_LENGTH_FACTOR
    // The header may have quoted line breaks, which any delimiter leaves inside the quotes.
    const first = this.#rest.match(/^(?:[^"\r\n]|"[^"]*")*(\r\n|\n|\r(?=.))/s)
    if (!first && !isLast && this.#rest.length <= lengthMax) return null
    const header = first ? first[0] : (this.#rest.split(/[\r\n]/, 1)[0] ?? '')
    if (header.includes('\0')) throw fault('has NUL characters', 'say the encoding that it has, such as utf-16le')
    const named = /^sep=(.)(?:\r\n|\n|\r|$)/i.exec(header)
    if (named && first) {
      this.delimiter ||= named[1] as string
      this.#rest = this.#rest.slice(header.length)
      return new CsvReader(this.delimiter, lengthMax, 2, header.length)
    }
    if (this.delimiter === '') this.delimiter = delimiterOf(header)
    return new CsvReader(this.delimiter, lengthMax)
  }

  #lineOf(record: CsvRecord): FileLine[] {
    const problem = this.#badByteBefore(record.end)
    if (!this.columns) return this.#takeHeader(record, problem)
    const { line, endLine, raw, cells } = record
    const problems = problem ? [problem] : record.fault ? [faultProblem(record, record.fault)] : []
    if (problems.length > 0) return [this.#finished({ line, endLine, raw, text: null }, problems, problem !== null)]
    const last = cells.findLastIndex((cell) => cell !== '')
    if (last === -1) return []
    if (last >= this.columns.length) {
      return [this.#finished({ line, endLine, raw, text: null }, [surplus(cells, this.columns.length)])]
    }
    return [this.#finished({ line, endLine, raw, ...jsonOf(cells, this.columns) }, [])]
  }

  #takeHeader(record: CsvRecord, problem: InputProblem | null): FileLine[] {
    if (problem) throw new FileFault([{ ...problem, field: 'the header' }])
    if (record.fault) throw new FileFault([faultProblem(record, record.fault)])
    if (record.cells.every((cell) => cell.trim() === '')) return []
    this.header = record.cells
    this.columns = columnsOf(record.cells, this.#options.map)
    return []
  }

  #finished(
    line: Pick<FileLine, 'line' | 'endLine' | 'raw' | 'text'> & { problems?: InputProblem[] },
    found: InputProblem[],
    isNotUtf8 = false,
  ): FileLine {
    const problems = [...found, ...(line.problems ?? [])]
    const { lineBytesMax } = this.#options
    const isLong = line.text !== null && line.text.length > lineBytesMax
    const bytes = line.text === null || isLong ? 0 : UTF8.encode(line.text).length
    if (isLong || bytes > lineBytesMax) {
      problems.push({ field: '', message: `is longer than ${lineBytesMax} bytes`, fix: 'send less of it' })
    }
    const isGood = problems.length === 0
    const [text, raw] = [isGood ? line.text : null, isLong ? null : line.raw]
    const finished = { ...line, raw, text, problems, bytes: isGood ? bytes : 0 }
    if (isNotUtf8) this.notUtf8 ??= finished
    return finished
  }

  /** Takes out the bytes that are no UTF-8 up to a position, and returns the problem of the first one. */
  #badByteBefore(end: number): InputProblem | null {
    const { bad } = this.#text
    const [first] = bad
    if (!first || first.at >= end) return null
    const next = bad.findIndex(({ at }) => at >= end)
    bad.splice(0, next === -1 ? bad.length : next)
    const value = first.value.toString(16).toUpperCase().padStart(2, '0')
    const message = `is not UTF-8: byte ${first.byte} of the file is 0x${value}`
    return { field: '', message, fix: 'save the file as UTF-8, or say the encoding that it has, such as windows-1252' }
  }
}

function orFault<Result>(work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof EncodingFault)) throw error
    throw new FileFault([{ field: error.field, message: error.message, fix: error.fix }])
  }
}

function fault(message: string, fix: string): FileFault {
  return new FileFault([{ field: '', message, fix }])
}

/** Returns the character, `''` for null. Throws `FileFault` for a text that is no single character. */
function delimiterNamed(delimiter: string | null): string {
  if (delimiter === null) return ''
  const named = /^(tab|\\t)$/i.test(delimiter) ? '\t' : delimiter
  if (named.length === 1 && !/["\r\n]/.test(named)) return named
  const fix = 'send one character, such as ; or | or tab'
  throw new FileFault([{ field: 'delimiter', message: `"${delimiter}" is no delimiter`, fix }])
}

/** Returns the delimiter of a header. A header of one column has none, and RFC 4180 decides. */
function delimiterOf(header: string): string {
  const [only = ',', ...others] = delimitersIn(header)
  if (others.length === 0) return only
  const names = DELIMITERS.filter((each) => [only, ...others].includes(each)).map((each) =>
    each === '\t' ? 'tab' : each,
  )
  throw fault(`has a header with ${names.join(' and ')}`, 'say which of them separates the cells, as the delimiter')
}

function faultProblem({ line, endLine }: CsvRecord, { kind, line: at }: CsvFault): InputProblem {
  const [message, fix] = LINE_FAULTS[kind]
  const where = at === line ? '' : ` in line ${at}`
  const upTo = endLine === line ? '' : `, so lines ${line} to ${endLine} are not read`
  return { field: '', message: `${message}${where}${upTo}`, fix }
}

function surplus(cells: readonly string[], columns: number): InputProblem {
  const further = cells.slice(columns).filter((cell) => cell !== '')
  const message = `has ${cells.length} cells and the header ${columns} columns: "${further.join('", "').slice(0, 100)}" is too much`
  return { field: '', message, fix: 'put a cell with a delimiter in it in quotes' }
}
