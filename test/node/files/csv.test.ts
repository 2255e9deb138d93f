/**
 * Tests the reader of CSV files against a second library in every form of CSV, cut into pieces anywhere, and the lines that
 * it refuses.
 */
import { parse } from 'csv-parse/sync'
import { stringify } from 'csv-stringify/sync'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CsvReader, type CsvRecord, csvRecord, DELIMITERS, delimitersIn } from '../../../src/formats/files/csv.ts'

const cell = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', 'ü', '🎉', '"', "'", ',', ';', '\t', '|', '\r', '\n', ' ', '=', '-', '0') }),
  fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', '').toWellFormed()),
)
const table = fc
  .integer({ min: 1, max: 5 })
  .chain((width) => fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 8 }))
const forms = fc.record({
  delimiter: fc.constantFrom(...DELIMITERS),
  record_delimiter: fc.constantFrom('\n', '\r\n', '\r'),
  quoted: fc.boolean(),
  eof: fc.boolean(),
})
const cuts = fc.array(fc.nat(400), { maxLength: 5 })

function read(text: string, delimiter: string, at: readonly number[] = [], lengthMax = 1_000_000): CsvRecord[] {
  const reader = new CsvReader(delimiter, lengthMax)
  const bounds = [0, ...at.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length]
  const pieces = bounds.slice(1).map((to, nth) => text.slice(bounds[nth], to))
  return [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()]
}

const short = (records: CsvRecord[]) =>
  records.map(({ line, endLine, cells, fault }) => (fault ? [line, endLine, fault.kind, fault.line] : [line, cells]))

describe('a table of any strings', () => {
  it('comes back from any form of CSV of a second library, in whatever pieces it is read', () => {
    fc.assert(
      fc.property(table, forms, cuts, (rows, options, at) => {
        const text = stringify(rows, { ...options, quoted_match: /[\r\n]/, quoted_empty: true })
        const records = read(text, options.delimiter, at)
        expect(records.map(({ cells }) => cells)).toEqual(rows)
        expect(records.filter(({ fault }) => fault)).toEqual([])
        expect(records.at(-1)?.end).toBe(text.length)
      }),
      { numRuns: 300 },
    )
  })

  it('is read by a second library as it was written here', () => {
    fc.assert(
      fc.property(table, fc.constantFrom(...DELIMITERS), (rows, delimiter) => {
        const text = rows.map((row) => csvRecord(row, delimiter)).join('')
        expect(parse(text, { delimiter, record_delimiter: '\r\n' })).toEqual(rows)
        expect(read(text, delimiter).map(({ cells }) => cells)).toEqual(rows)
      }),
      { numRuns: 150 },
    )
  })

  it('has the same records, faults and lines in whatever pieces any text is read', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '"', ',', '\r', '\n'), maxLength: 60 })
    fc.assert(
      fc.property(text, cuts, fc.integer({ min: 1, max: 60 }), (whole, at, lengthMax) => {
        expect(read(whole, ',', at)).toEqual(read(whole, ','))
        const lines = read(whole, ',', at, lengthMax)
        expect(lines.every(({ raw }) => raw === null || raw.length <= lengthMax)).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('a record with a fault', () => {
  it.each<[string, string, unknown[]]>([
    [
      'a quote inside an unquoted cell',
      'a,b\nc,5" d\ne,f\n',
      [
        [1, ['a', 'b']],
        [2, 2, 'stray_quote', 2],
        [3, ['e', 'f']],
      ],
    ],
    [
      'text behind a closing quote',
      'a,"b"c,d\ne,f',
      [
        [1, 1, 'text_after_quote', 1],
        [2, ['e', 'f']],
      ],
    ],
    [
      'the same behind a line break',
      '"x\ny"z\ne',
      [
        [1, 2, 'text_after_quote', 2],
        [3, ['e']],
      ],
    ],
    [
      'a space before an opening quote',
      'a, "b"\nc,d',
      [
        [1, 1, 'stray_quote', 1],
        [2, ['c', 'd']],
      ],
    ],
    [
      'a quote that is never closed',
      'a\n"b\nc\nd\n',
      [
        [1, ['a']],
        [2, 4, 'unclosed_quote', 2],
      ],
    ],
    [
      'one that the quote of a later line closes',
      'a,"b\nc,"d"\ne,f',
      [
        [1, 2, 'text_after_quote', 2],
        [3, ['e', 'f']],
      ],
    ],
  ])('is refused alone: %s', (_what, text, expected) => {
    expect(short(read(text, ','))).toEqual(expected)
  })

  it('is refused when it is too long, and the next one is read', () => {
    const text = `a,b\n"${'x\n'.repeat(50)}",y\nc,d\n"${'z'.repeat(60)}`
    for (const at of [[], [30], [10, 60, 90]]) {
      expect(short(read(text, ',', at, 40))).toEqual([
        [1, ['a', 'b']],
        [2, 52, 'too_long', 2],
        [53, ['c', 'd']],
        [54, 54, 'unclosed_quote', 54],
      ])
    }
  })
})

it('ends lines with CRLF, LF, or CR where CR ends the first one, and counts them', () => {
  expect(short(read('a\r\nb\nc', ','))).toEqual([
    [1, ['a']],
    [2, ['b']],
    [3, ['c']],
  ])
  expect(short(read('a\rb\r"c\rd"\re', ','))).toEqual([
    [1, ['a']],
    [2, ['b']],
    [3, ['c\rd']],
    [5, ['e']],
  ])
  // In a file of LF, a CR alone is part of its cell: nothing is cut out of it.
  expect(short(read('a\nb\rc\nd', ','))).toEqual([
    [1, ['a']],
    [2, ['b\rc']],
    [3, ['d']],
  ])
})

it('finds the delimiters of a header outside of quotes', () => {
  expect(delimitersIn('a;"b,c";d')).toEqual([';'])
  expect(delimitersIn('a,b;c')).toEqual([',', ';'])
  expect(delimitersIn('a')).toEqual([])
})
