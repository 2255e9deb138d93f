/**
 * Reads the file of `npm run import` and of the console with the reader that the import route has too. It is read twice:
 * the first time finds what is wrong with it as a whole, so that nothing of such a file is sent, and which lines name a
 * parent that comes later. Runs in Node and in a browser: the bytes are handed in.
 */
import { ERROR_COLUMN, FileFault } from '../src/formats/files/columns.ts'
import { CsvReader, csvRecord } from '../src/formats/files/csv.ts'
import { type FileLine, FileLines, type FileOptions } from '../src/formats/files/lines.ts'
import { valueAt } from '../src/formats/files/rows.ts'

const VALUE_SHOWN_LENGTH = 60

/** A line to send, and the lines before it that are not sent because they are faulty. */
export interface OrderedLine extends FileLine {
  text: string
  faulty: FileLine[]
  /** The position in the file up to which it was read. */
  read: number
}

/** The bytes of a file, from its beginning. */
export type Pieces = AsyncIterable<Uint8Array>

/** The result of the first reading. */
export interface Survey {
  lines: number
  /** Whether a line names a parent of which the own line comes later. */
  isParentLater: boolean
  /** Each external id that lines are for, with the number of the first of them. */
  firstLines: Map<string, number>
  reader: FileLines
}

interface Names {
  externalId: string | null
  parent: string | null
}

/**
 * Reads the whole file. `onPiece` gets each piece with the bytes read up to its end. Throws `FileFault` if the file cannot
 * be read, or has bytes that are not UTF-8.
 */
export async function survey(
  file: Pieces,
  options: FileOptions,
  onPiece: (piece: Uint8Array, bytes: number) => void,
): Promise<Survey> {
  const reader = new FileLines(options)
  const firstLines = new Map<string, number>()
  const parents = new Map<string, number>()
  let lines = 0
  const take = (found: FileLine[]) => {
    for (const { text } of found) {
      const { externalId, parent } = namesIn(text)
      if (externalId !== null && !firstLines.has(externalId)) firstLines.set(externalId, lines)
      if (parent !== null && !parents.has(parent)) parents.set(parent, lines)
      lines++
    }
    if (reader.notUtf8) throw fileFaultOf(reader.notUtf8)
  }
  let bytes = 0
  for await (const piece of file) {
    take(reader.push(piece))
    bytes += piece.length
    onPiece(piece, bytes)
  }
  take(reader.end())
  const isParentLater = [...parents].some(([parent, at]) => (firstLines.get(parent) ?? -1) > at)
  return { lines, isParentLater, firstLines, reader }
}

function fileFaultOf({ line, problems }: FileLine): FileFault {
  return new FileFault(problems.map((problem) => ({ ...problem, field: `line ${line}` })))
}

/** Yields the lines to send, parents before their children. Returns the faulty lines behind the last of them. */
export async function* linesToSend(
  file: Pieces,
  options: FileOptions,
  { isParentLater, firstLines }: Survey,
): AsyncGenerator<OrderedLine, FileLine[]> {
  let faulty: FileLine[] = []
  const order = new ParentsFirst(firstLines)
  for await (const { line, at, read } of readAgain(file, options)) {
    if (line.text === null) {
      faulty.push(line)
      continue
    }
    const sent = { ...line, text: line.text, faulty, read }
    faulty = []
    if (isParentLater) yield* order.next(sent, at)
    else yield sent
  }
  yield* order.rest()
  return faulty
}

async function* readAgain(file: Pieces, options: FileOptions) {
  const reader = new FileLines(options)
  let at = 0
  let read = 0
  for await (const piece of file) {
    read += piece.length
    for (const line of reader.push(piece)) yield { line, at: at++, read }
  }
  for (const line of reader.end()) yield { line, at: at++, read }
}

/**
 * Holds a line back until the first line of its parent was sent, and further lines of the same customer behind it. Lines of
 * customers that are above each other stay held, and come last in the order of the file: Roster refuses them.
 */
class ParentsFirst {
  readonly #firstLines: ReadonlyMap<string, number>
  readonly #sent = new Set<string>()
  /** Held lines by the external id that they wait for. */
  readonly #waiting = new Map<string, { line: OrderedLine; names: Names }[]>()
  /** The external id that each customer with a held line waits for. */
  readonly #held = new Map<string, string>()

  constructor(firstLines: ReadonlyMap<string, number>) {
    this.#firstLines = firstLines
  }

  *next(line: OrderedLine, at: number): Generator<OrderedLine> {
    const names = namesIn(line.text)
    const { externalId, parent } = names
    const held = externalId === null ? undefined : this.#held.get(externalId)
    const isLater = parent !== null && parent !== externalId && !this.#sent.has(parent)
    const awaited =
      held ?? (isLater && ((this.#firstLines.get(parent) ?? -1) > at || this.#held.has(parent)) ? parent : null)
    if (awaited === null) {
      yield* this.#send(line, names)
      return
    }
    if (externalId !== null) this.#held.set(externalId, awaited)
    this.#waiting.set(awaited, [...(this.#waiting.get(awaited) ?? []), { line, names }])
  }

  *rest(): Generator<OrderedLine> {
    const left = [...this.#waiting.values()].flat().sort((one, other) => one.line.line - other.line.line)
    for (const { line } of left) yield line
  }

  /** Yields a line and those that waited for it. A loop, because parents may be below each other without end. */
  *#send(line: OrderedLine, names: Names): Generator<OrderedLine> {
    const ready = [{ line, names }]
    for (let next = ready.pop(); next; next = ready.pop()) {
      yield next.line
      const { externalId } = next.names
      if (externalId === null) continue
      this.#sent.add(externalId)
      const waiting = this.#waiting.get(externalId) ?? []
      this.#waiting.delete(externalId)
      for (const { names: freed } of waiting) if (freed.externalId !== null) this.#held.delete(freed.externalId)
      ready.push(...waiting.reverse())
    }
  }
}

function namesIn(text: string | null): Names {
  try {
    const { external_id: externalId, parent_customer_external_id: parent } = JSON.parse(text ?? '')
    return { externalId: named(externalId), parent: named(parent) }
  } catch {
    return { externalId: null, parent: null }
  }
}

function named(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

/** Returns what is wrong with a line, with the column of the file and the value in it. */
export function problemText(
  { field, message, fix }: { field: string; message: string; fix: string },
  { text }: Pick<FileLine, 'text'>,
  reader: FileLines,
): string {
  const column = field === '' ? null : (reader.columnOf(field) ?? field)
  const value = text === null || field === '' ? null : valueAt(text, field)
  const cut = value !== null && value.length > VALUE_SHOWN_LENGTH ? `${value.slice(0, VALUE_SHOWN_LENGTH)}…` : value
  const shown = cut === null ? '' : ` ${JSON.stringify(cut)}`
  return `${column ?? 'it'}${shown} ${message}: ${fix}`
}

/**
 * Returns a rejected line for the file of rejected lines, with what is wrong in `import_error`, which an import leaves out.
 * A line that cannot be taken apart stays as it is, with the error behind it.
 */
export function rejectedLine({ raw }: FileLine, why: string, { columns, delimiter }: FileLines): string {
  if (raw === null) return ''
  if (columns === null) return `${withError(raw, why)}\n`
  const reader = new CsvReader(delimiter, raw.length + 1)
  const [record, ...others] = [...reader.push(raw), ...reader.end()]
  if (!record || record.fault || others.length > 0) return `${raw}${delimiter}${csvRecord([why], delimiter)}`
  const { cells } = record
  const known = columns.findIndex(({ name }) => name === ERROR_COLUMN)
  if (cells.length > columns.length && known === -1) return csvRecord([...cells, why], delimiter)
  const at = known === -1 ? columns.length : known
  const row = Array.from({ length: Math.max(at + 1, cells.length) }, (_, nth) =>
    nth === at ? why : (cells[nth] ?? ''),
  )
  return csvRecord(row, delimiter)
}

/** Returns the header of that file. Its BOM says that it is UTF-8, whatever the encoding of the imported file was. */
export function rejectedHeader({ columns, delimiter }: FileLines): string {
  if (columns === null) return ''
  const names = columns.map(({ name }) => name)
  return `\ufeff${csvRecord(names.includes(ERROR_COLUMN) ? names : [...names, ERROR_COLUMN], delimiter)}`
}

function withError(raw: string, why: string): string {
  const object = /^\s*\{([\s\S]*)\}\s*$/.exec(raw)?.[1]
  if (object === undefined || namesOfObject(raw) === null) return raw
  return `{${object.trim() === '' ? '' : `${object.trim()},`}"${ERROR_COLUMN}":${JSON.stringify(why)}}`
}

function namesOfObject(text: string): string[] | null {
  try {
    return Object.keys(JSON.parse(text))
  } catch {
    return null
  }
}
