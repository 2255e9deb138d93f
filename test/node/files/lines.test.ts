/**
 * Tests how a file of customers is read: the header decides the delimiter and the fields, bytes decide the encoding, and
 * whatever is doubtful is refused with its line.
 */
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { stringify } from 'csv-stringify/sync'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { COMMON_NAMES, columnMap, columnsOf, FileFault, LINE_FIELD_NAMES } from '../../../src/formats/files/columns.ts'
import { DELIMITERS } from '../../../src/formats/files/csv.ts'
import { type FileLine, FileLines, type FileOptions } from '../../../src/formats/files/lines.ts'

const OPTIONS: FileOptions = { format: 'csv', encoding: null, delimiter: null, map: new Map(), lineBytesMax: 10_000 }
const utf8 = (text: string) => new TextEncoder().encode(text)

function read(bytes: Uint8Array | string, options: Partial<FileOptions> = {}, pieces = Number.POSITIVE_INFINITY) {
  const all = typeof bytes === 'string' ? utf8(bytes) : bytes
  const reader = new FileLines({ ...OPTIONS, ...options })
  const lines: FileLine[] = []
  for (let at = 0; at < all.length; at += pieces) lines.push(...reader.push(all.subarray(at, at + pieces)))
  lines.push(...reader.end())
  return lines
}

const values = (lines: FileLine[]) =>
  lines.map(({ line, text, problems }) => [
    line,
    text === null ? problems.map(({ message }) => message) : JSON.parse(text),
  ])

function refusal(bytes: Uint8Array | string, options: Partial<FileOptions> = {}, pieces?: number): string {
  try {
    read(bytes, options, pieces)
  } catch (error) {
    if (error instanceof FileFault) return error.message
    throw error
  }
  return 'none'
}

/** Encodes text of Latin-1 and the signs that windows-1252 has in place of its controls. */
const CP1252 = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ'
function encoded(text: string, encoding: string): Uint8Array {
  const units = Array.from({ length: text.length }, (_, at) => text.charCodeAt(at))
  if (encoding === 'windows-1252') {
    return Uint8Array.from(text, (sign) => (CP1252.includes(sign) ? 0x80 + CP1252.indexOf(sign) : sign.charCodeAt(0)))
  }
  if (encoding === 'utf-16le') return Uint8Array.from([0xff, 0xfe, ...units.flatMap((unit) => [unit & 255, unit >> 8])])
  if (encoding === 'utf-16be') return Uint8Array.from([0xfe, 0xff, ...units.flatMap((unit) => [unit >> 8, unit & 255])])
  return utf8(encoding === 'bom' ? `\ufeff${text}` : text)
}

const sign = fc.constantFrom('a', 'ü', '€', '"', "'", ',', ';', '\t', '|', '\r', '\n', ' ', '=', '+', '0', '.')
const cell = fc.string({ unit: sign, minLength: 1, maxLength: 12 })
const row = fc.record({
  external_id: cell,
  name: fc.option(cell),
  'metadata.a b': fc.option(cell),
  contact: fc.option(cell),
})

it('reads any strings from any form of CSV and encoding as they were written, in whatever pieces', () => {
  fc.assert(
    fc.property(
      fc.array(row, { minLength: 1, maxLength: 6 }),
      fc.constantFrom(...DELIMITERS),
      fc.constantFrom('\n', '\r\n', '\r'),
      fc.boolean(),
      fc.constantFrom('utf-8', 'bom', 'windows-1252', 'utf-16le', 'utf-16be'),
      fc.integer({ min: 1, max: 60 }),
      (rows, delimiter, record_delimiter, quoted, encoding, pieces) => {
        const text = stringify(rows, { header: true, delimiter, record_delimiter, quoted, quoted_match: /[\r\n]/ })
        const options = encoding === 'windows-1252' ? { encoding } : {}
        const expected = rows.map(({ external_id, name, contact, 'metadata.a b': metadata }) => ({
          external_id,
          ...(name !== null && { name }),
          ...(contact !== null && { contact }),
          ...(metadata !== null && { metadata: { 'a b': metadata } }),
        }))
        expect(values(read(encoded(text, encoding), options, pieces)).map(([, value]) => value)).toEqual(expected)
      },
    ),
    { numRuns: 300 },
  )
})

describe('the delimiter', () => {
  it.each([
    ['the header decides', 'external_id,name\nacct;7,Other Ltd\n', [[2, { external_id: 'acct;7', name: 'Other Ltd' }]]],
    [
      'the header decides',
      'external_id;name\nj;Jansen, de Vries & Co\n',
      [[2, { external_id: 'j', name: 'Jansen, de Vries & Co' }]],
    ],
    ['the header decides', 'external_id\tname\nj\t12,50;a|b\n', [[2, { external_id: 'j', name: '12,50;a|b' }]]],
    [
      'quoted names do not count',
      '"metadata.a,b";external_id\nx;j\n',
      [[2, { external_id: 'j', metadata: { 'a,b': 'x' } }]],
    ],
    ['the first line names it', 'sep=;\r\nexternal_id;name\r\nj;a,b\r\n', [[3, { external_id: 'j', name: 'a,b' }]]],
    ['one column has none', 'external_id\nacct;7\n', [[2, { external_id: 'acct;7' }]]],
  ])('%s', (_what, text, expected) => {
    for (const pieces of [1, 7, 100]) expect(values(read(text, {}, pieces))).toEqual(expected)
  })

  it('is taken as the caller says, and refused where it is doubtful or none', () => {
    expect(refusal('external_id,metadata.a;b\n')).toMatch(/header with , and ;: say which/)
    const named = read('external_id,metadata.a;b\nx,1\n', { delimiter: ',' })
    expect(values(named)).toEqual([[2, { external_id: 'x', metadata: { 'a;b': '1' } }]])
    expect(values(read('external_id~name\nx~y,z\n', { delimiter: '~' }))).toEqual([
      [2, { external_id: 'x', name: 'y,z' }],
    ])
    expect(values(read('external_id\tname\nx\ty\n', { delimiter: 'tab' }))).toEqual([
      [2, { external_id: 'x', name: 'y' }],
    ])
    for (const delimiter of ['', ';;', '"', '\n'])
      expect(refusal('external_id\n', { delimiter })).toMatch(/no delimiter/)
  })
})

describe('a line', () => {
  it('with surplus cells is refused; empty trailing cells, empty rows and missing cells are none', () => {
    const text = 'external_id,name\ng1,Acme, Inc.\ng2,Acme,,\n\n,,\ng3\n'
    expect(values(read(text))).toEqual([
      [2, [expect.stringMatching(/3 cells and the header 2 columns: " Inc." is too much/)]],
      [3, { external_id: 'g2', name: 'Acme' }],
      [6, { external_id: 'g3' }],
    ])
  })

  it('with a quoting fault is refused alone, and says which lines it takes with it', () => {
    const text = 'external_id,name\na,5" pipe\nb,"B" c\nc,"C"\nd,"D\ne,E\n'
    expect(values(read(text))).toEqual([
      [2, ['has a quote inside a cell']],
      [3, ['has text behind a closing quote']],
      [4, { external_id: 'c', name: 'C' }],
      [5, ['has a quote that is never closed, so lines 5 to 6 are not read']],
    ])
  })

  it('with bytes that are no UTF-8 is refused with line and byte, in CSV and in NDJSON', () => {
    const csv = encoded('external_id,name\ni0,ok\ni1,Müller\ni2,Öl\ni3,ok', 'windows-1252')
    const json = encoded(
      '{"external_id":"i0"}\n{"external_id":"i1","name":"Müller"}\n{"external_id":"i3"}',
      'windows-1252',
    )
    for (const pieces of [1, 5, 1000]) {
      const [first, second, third, fourth] = read(csv, {}, pieces)
      expect([first?.text, fourth?.text]).toEqual([
        '{"external_id":"i0","name":"ok"}',
        '{"external_id":"i3","name":"ok"}',
      ])
      expect(second).toMatchObject({
        line: 3,
        text: null,
        problems: [{ message: 'is not UTF-8: byte 28 of the file is 0xFC' }],
      })
      expect(second?.problems[0]?.fix).toContain('windows-1252')
      expect(third?.problems[0]?.message).toContain('0xD6')
      const lines = read(json, { format: 'ndjson' }, pieces)
      expect(lines.map(({ line, text }) => [line, text !== null])).toEqual([
        [1, true],
        [2, false],
        [3, true],
      ])
      expect(lines[1]?.problems[0]?.message).toMatch(/byte 51 of the file is 0xFC/)
    }
  })

  it('is UTF-8 for the reader exactly when it is for the runtime', () => {
    const byte = fc.oneof(fc.nat(255), fc.constantFrom(0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0x80, 0x90, 0xa0, 0xbf))
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 8 }).chain(() => fc.array(byte, { maxLength: 8 })),
        fc.integer({ min: 1, max: 9 }),
        (bytes, pieces) => {
          const whole = Uint8Array.from([...utf8('{"a":"'), ...bytes.filter((each) => each !== 10), 0x22, 0x7d])
          const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
          let text: string | null = null
          try {
            text = decoder.decode(whole)
          } catch {}
          expect(read(whole, { format: 'ndjson' }, pieces)[0]?.text).toBe(text)
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it('that is too long is refused, and the next one is read', () => {
    const long = 'x'.repeat(20)
    const options = { lineBytesMax: 30 }
    const isLong = [expect.stringMatching(/longer than 30 bytes|too long/)]
    const ndjson = { ...options, format: 'ndjson' } as const
    for (const pieces of [3, 1000]) {
      expect(values(read(`{"a":"${long}${long}"}\n{"a":"ü"}\n`, ndjson, pieces))).toEqual([
        [1, isLong],
        [2, { a: 'ü' }],
      ])
      expect(values(read(`external_id\n${long.repeat(4)}\ny\n`, options, pieces))).toEqual([
        [2, isLong],
        [3, { external_id: 'y' }],
      ])
    }
  })
})

it('refuses a file of another kind as a whole, with what to do, in whatever pieces', () => {
  const kinds: [bytes: Uint8Array, format: 'csv' | 'ndjson', message: string][] = [
    [gzipSync('external_id\na\n'), 'csv', 'is compressed by gzip: unpack it first'],
    [gzipSync('{"external_id":"a"}'), 'ndjson', 'is compressed by gzip: unpack it first'],
    [Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x24), 'csv', 'is compressed by zstd: unpack it first'],
    [
      Buffer.from('PK\x03\x04\x14\0\x06'),
      'csv',
      'is a workbook or a ZIP file: export the sheet as CSV, or unpack it first',
    ],
    [Uint8Array.of(0xd0, 0xcf, 0x11, 0xe0, 0xa1), 'csv', 'is a workbook: export the sheet as CSV'],
  ]
  for (const pieces of [1, 2, 1_000]) {
    for (const [bytes, format, message] of kinds) {
      for (const encoding of [null, 'windows-1252'])
        expect(refusal(bytes, { format, encoding }, pieces)).toContain(message)
    }
    for (const array of ['[{"external_id":"a"}]', '\n  [\n  {"external_id": "a"}\n]\n']) {
      expect(refusal(array, { format: 'ndjson' }, pieces)).toContain('is one JSON array')
    }
  }
})

it('keeps the digits of JSON cells, merges metadata columns into them, and refuses what is no JSON', () => {
  const rows = [
    ['external_id', 'metadata', 'metadata.b', 'integration_entity_mapping'],
    ['a', '{"a":12345678901234567890,"b":1}', '2', '[{"provider":"s","id":1.10}]'],
    ['b', '{ }', '3', ''],
    ['c', '{', '4', ''],
  ]
  const lines = read(stringify(rows))
  expect(lines.map(({ text }) => text)).toEqual([
    '{"external_id":"a","integration_entity_mapping":[{"provider":"s","id":1.10}],"metadata":{"a":12345678901234567890,"b":1,"b":"2"}}',
    '{"external_id":"b","metadata":{"b":"3"}}',
    null,
  ])
  expect(lines[2]?.problems).toEqual([{ field: 'metadata', message: 'is not JSON', fix: expect.any(String) }])
})

it('takes an apostrophe away only in rows that say so', () => {
  const text = "external_id,name,formula_guard\na,'=1,1\nb,'=1,\nc,=1,\nd,''+1,1\n"
  expect(values(read(text)).map(([, value]) => (value as { name: string }).name)).toEqual(['=1', "'=1", '=1', "'+1"])
})

describe('columns', () => {
  it('are recognized by their common names, and listed', () => {
    const header = [
      'Customer ID',
      'Company',
      'E-mail',
      'Phone',
      'Street',
      'Zip Code',
      'City',
      'Country',
      'Metadata.Plan',
    ]
    expect(columnsOf(header, new Map()).map(({ field }) => field)).toEqual([
      'external_id',
      'name',
      'email',
      'contact',
      'address_line1',
      'address_postal_code',
      'address_city',
      'address_country',
      'metadata.Plan',
    ])
    for (const [field, names] of Object.entries(COMMON_NAMES)) {
      expect(LINE_FIELD_NAMES).toContain(field)
      const own = field === 'external_id' ? [] : ['external_id']
      for (const name of names) expect(columnsOf([name.toUpperCase(), ...own], new Map())[0]?.field).toBe(field)
    }
  })

  it.each([
    [['external_id', 'emial'], '', /emial is no known column, did you mean "e-?mail"/],
    [['external_id', 'Notes'], '', /Notes is no known column.*"Notes="/],
    [['external_id', '', 'name'], '', /column without a name/],
    [['external_id', 'name', 'name'], '', /name is the name of two columns/],
    [['external_id', 'Company', 'name'], '', /name and "Company" are both name/],
    [['Company'], '', /external_id is no column.*the file has Company/],
    [['external_id'], 'Firm=name', /Firm is mapped, but the file has no such column/],
    [['external_id'], 'external_id=nam', /"nam", which is no field: did you mean name/],
    [['external_id'], 'external_id', /has no "="/],
  ])('are refused at once: %j', (header, map, message) => {
    expect(() => columnsOf(header, columnMap(map))).toThrow(message)
  })

  it('are what the caller says, also with commas in their names, and trailing ones without a name do not count', () => {
    const map = columnMap('Ref=external_id,"Name, first"=metadata.first,Notes=')
    expect(columnsOf([' Ref ', 'Name, first', 'Notes', 'import_error', '', ' '], map)).toEqual([
      { name: 'Ref', field: 'external_id' },
      { name: 'Name, first', field: 'metadata.first' },
      { name: 'Notes', field: null },
      { name: 'import_error', field: null },
    ])
  })
})

it('has every common name of a column in the guide', () => {
  const guide = readFileSync('docs/import-and-export.md', 'utf8')
  for (const [field, names] of Object.entries(COMMON_NAMES)) {
    const row = guide.split('\n').find((line) => line.startsWith(`| \`${field}\` `))
    expect(row?.split('|')[2]?.trim()).toBe(names.join(', '))
  }
})
