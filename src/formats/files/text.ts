/**
 * Decodes the bytes of a file to text, piece by piece. UTF-8 is read strictly: each byte that is no UTF-8 is noted with
 * its position, so that the line that has it is refused instead of being stored with other characters. Pure.
 */

/** A byte that is no UTF-8. */
interface BadByte {
  /** Position of its replacement in the decoded text, in UTF-16 units. */
  at: number
  /** Position in the file, counted from 1. */
  byte: number
  value: number
}

/** The file cannot be decoded. `field` is empty if that is no matter of its encoding. */
export class EncodingFault extends Error {
  readonly fix: string
  readonly field: string
  constructor(message: string, fix: string, field = 'encoding') {
    super(message)
    this.fix = fix
    this.field = field
  }
}

const UTF8 = 'utf-8'
const BOMS: [encoding: string, ...bytes: number[]][] = [
  [UTF8, 0xef, 0xbb, 0xbf],
  ['utf-16le', 0xff, 0xfe],
  ['utf-16be', 0xfe, 0xff],
]
/** The first bytes of files that are no text. No file of customers begins with them, whatever its encoding. */
const OTHER_KINDS: [message: string, fix: string, ...bytes: number[]][] = [
  ['is compressed by gzip', 'unpack it first', 0x1f, 0x8b, 0x08],
  ['is compressed by zstd', 'unpack it first', 0x28, 0xb5, 0x2f],
  ['is a workbook or a ZIP file', 'export the sheet as CSV, or unpack it first', 0x50, 0x4b, 0x03],
  ['is a workbook', 'export the sheet as CSV', 0xd0, 0xcf, 0x11],
]
/** The most bytes that tell a BOM or a kind. */
const MARK_BYTES_MAX = 3
const REPLACEMENT = '\ufffd'

/** Returns the name that the runtime has for an encoding. Throws `EncodingFault` for one that it does not know. */
function encodingNamed(label: string): string {
  try {
    return new TextDecoder(label).encoding
  } catch {
    throw new EncodingFault(`"${label}" is no encoding`, 'name one such as utf-8, windows-1252 or utf-16le')
  }
}

export class FileText {
  /** Bytes that are no UTF-8, in their order. The reader of the text takes them out. */
  readonly bad: BadByte[] = []
  #encoding: string
  #decoder: InstanceType<typeof TextDecoder> | null = null
  #isBegun = false
  /** Bytes that are not decoded yet: a possible BOM, or the beginning of a character. */
  #rest = new Uint8Array(0)
  /** Bytes decoded so far, and the length of their text. */
  #bytes = 0
  #length = 0

  /** `encoding`: UTF-8 if it is null. A BOM of UTF-8 or UTF-16 in the file counts in any case. Throws `EncodingFault`. */
  constructor(encoding: string | null) {
    this.#encoding = encodingNamed(encoding ?? UTF8)
  }

  /** Returns the text of the bytes, as far as it is complete. Throws `EncodingFault` for bytes of another encoding. */
  push(bytes: Uint8Array): string {
    return this.#decode(joined(this.#rest, bytes), false)
  }

  /** Returns the rest of the text. */
  end(): string {
    return this.#decode(this.#rest, true)
  }

  #decode(bytes: Uint8Array, isLast: boolean): string {
    this.#rest = new Uint8Array(0)
    let from = 0
    if (!this.#isBegun) {
      if (bytes.length < MARK_BYTES_MAX && !isLast) {
        this.#rest = bytes.slice()
        return ''
      }
      from = this.#begin(bytes)
    }
    const text = this.#decoder
      ? this.#decodeOther(this.#decoder, bytes.subarray(from), isLast)
      : this.#decodeUtf8(bytes.subarray(from), isLast)
    this.#length += text.length
    return text
  }

  /** Returns the length of the BOM. */
  #begin(bytes: Uint8Array): number {
    this.#isBegun = true
    const isMarked = (marks: number[]) => marks.every((mark, at) => bytes[at] === mark)
    const other = OTHER_KINDS.find(([, , ...marks]) => isMarked(marks))
    if (other) throw new EncodingFault(other[0], other[1], '')
    const [named, ...bom] = BOMS.find(([, ...marks]) => isMarked(marks)) ?? ['']
    if (named !== '') this.#encoding = named
    if (this.#encoding !== UTF8) this.#decoder = new TextDecoder(this.#encoding, { fatal: true, ignoreBOM: true })
    this.#bytes = bom.length
    return bom.length
  }

  #decodeOther(decoder: InstanceType<typeof TextDecoder>, bytes: Uint8Array, isLast: boolean): string {
    try {
      return decoder.decode(bytes, { stream: !isLast })
    } catch {
      throw new EncodingFault(`${this.#encoding} is not that of the file`, 'name the encoding that it has')
    }
  }

  #decodeUtf8(bytes: Uint8Array, isLast: boolean): string {
    let text = ''
    let from = 0
    while (from < bytes.length) {
      const whole = decodedIfValid(bytes.subarray(from))
      if (whole !== null) {
        text += whole
        break
      }
      const to = endOfUtf8(bytes, from)
      text += decodedIfValid(bytes.subarray(from, to))
      if (!isLast && isBeginning(bytes.subarray(to))) {
        this.#rest = bytes.slice(to)
        this.#bytes += to
        return text
      }
      this.bad.push({ at: this.#length + text.length, byte: this.#bytes + to + 1, value: bytes[to] ?? 0 })
      text += REPLACEMENT
      from = to + 1
    }
    this.#bytes += bytes.length
    return text
  }
}

/** Returns the text, or null if one of the bytes is no UTF-8. The runtime sees that much faster than `endOfUtf8`. */
function decodedIfValid(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder(UTF8, { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null
  }
}

/** Returns the position of the first byte from `from` on that does not begin a whole character, or the length. */
function endOfUtf8(bytes: Uint8Array, from: number): number {
  let at = from
  while (at < bytes.length) {
    if ((bytes[at] as number) < 0x80) at++
    else {
      const length = lengthAt(bytes, at)
      if (length === 0 || at + length > bytes.length) return at
      at += length
    }
  }
  return at
}

/** Returns the length of the character at a position, as far as its bytes are there; 0 for bytes that are none. */
function lengthAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2
  if (first < 0xc2 || first > 0xf4) return 0
  for (let next = 1; next < length && at + next < bytes.length; next++) {
    const byte = bytes[at + next] as number
    const [low, high] = next === 1 ? secondOf(first) : [0x80, 0xbf]
    if (byte < low || byte > high) return 0
  }
  return length
}

/** The second byte excludes longer forms than necessary, surrogates, and what is beyond Unicode. */
function secondOf(first: number): [low: number, high: number] {
  if (first === 0xe0) return [0xa0, 0xbf]
  if (first === 0xed) return [0x80, 0x9f]
  if (first === 0xf0) return [0x90, 0xbf]
  if (first === 0xf4) return [0x80, 0x8f]
  return [0x80, 0xbf]
}

/** Returns whether the bytes are the beginning of a character, which the next bytes may complete. */
function isBeginning(bytes: Uint8Array): boolean {
  const length = lengthAt(bytes, 0)
  return length > bytes.length
}

function joined(before: Uint8Array, after: Uint8Array): Uint8Array {
  if (before.length === 0) return after
  const both = new Uint8Array(before.length + after.length)
  both.set(before)
  both.set(after, before.length)
  return both
}
