/**
 * Tests the import of the console: the guesses of columns, the order of its steps, and its runs, which read and send with the
 * modules of `npm run import`. The server stands in for Roster and breaks off where a test needs it.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { columnProblems, guessColumns, mapOf, mapText } from '../../../console/src/lib/column-guess.ts'
import { ImportRun } from '../../../console/src/lib/import-run.ts'
import {
  afterEvent,
  type ImportEvent,
  type ImportState,
  mayCheck,
  mayImport,
  NO_FILE,
} from '../../../console/src/lib/import-steps.ts'
import { columnMap } from '../../../src/formats/files/columns.ts'

const READING = { encoding: null, delimiter: null, lineBytesMax: 262_144 }
const guessed = (text: string) => guessColumns(new TextEncoder().encode(text), true, READING)
const fields = (text: string) => Object.fromEntries(guessed(text).columns.map(({ name, field }) => [name, field]))

describe('the guess of columns', () => {
  it('takes known names, finds addresses, countries and zones by their values, and ids by being different', () => {
    const file = [
      'Kunden-Nr;Firma;Rechnung an;Land;Zone;Plan',
      'K1;Acme;a@acme.example;DE;Europe/Berlin;pro',
      'K2;Globex;b@globex.example;FR;UTC;pro',
    ].join('\n')
    expect(fields(file)).toEqual({
      'Kunden-Nr': 'external_id',
      Firma: 'metadata.firma',
      'Rechnung an': 'email',
      Land: 'address_country',
      Zone: 'timezone',
      Plan: 'metadata.plan',
    })
    expect(guessed(file).delimiter).toBe(';')
    expect(guessed(file).columns[1]).toEqual({
      ...{ name: 'Firma', field: 'metadata.firma' },
      by: 'guess',
      samples: ['Acme', 'Globex'],
    })
    expect(fields('external_id,Company,Mail\n1,A,x')).toEqual({
      external_id: 'external_id',
      Company: 'name',
      Mail: 'email',
    })
  })

  it('never gives a field twice, and leaves no known name out', () => {
    expect(fields('id,external_id,Email,Mail\n1,a,a@b.example,c@d.example')).toMatchObject({
      Email: 'email',
      Mail: null,
    })
    const name = fc.oneof(
      fc.constantFrom('Email', 'mail', 'id', 'Plan', 'plan', 'City', 'town', 'Kd. Nr.'),
      fc.string({ minLength: 1, maxLength: 8 }),
    )
    fc.assert(
      fc.property(fc.uniqueArray(name, { minLength: 1, maxLength: 8, selector: (each) => each.trim() }), (names) => {
        const header = ['external_id', ...names].map((each) => `"${each.replaceAll('"', '""')}"`).join(',')
        const { columns } = guessed(`${header}\n`)
        const given = columns.flatMap(({ field }) => field ?? [])
        expect(new Set(given).size).toBe(given.length)
        expect(columnProblems(columns).filter(({ message }) => message !== 'is the name of two columns')).toEqual([])
      }),
    )
  })

  it('writes the mapping as the route reads it', () => {
    const columns = [
      { name: 'external_id', field: 'external_id' },
      { name: 'Name, first', field: 'metadata.first' },
      { name: 'Notes', field: null },
      { name: 'City', field: null },
    ]
    expect(columnMap(mapText(columns))).toEqual(
      new Map([
        ['Name, first', 'metadata.first'],
        ['Notes', ''],
        ['City', ''],
      ]),
    )
  })

  it('names the column of each problem, such as a field that two columns have', () => {
    const columns = [
      { name: 'A', field: 'external_id' },
      { name: 'B', field: 'external_id' },
    ]
    expect(columnProblems(columns).map(({ field }) => field)).toEqual(['B'])
    expect(columnProblems([{ name: 'A', field: null }]).map(({ field }) => field)).toEqual(['external_id'])
  })

  it('throws for a file that is no CSV', () => {
    expect(() => guessColumns(Uint8Array.of(0x50, 0x4b, 0x03, 0x04), true, READING)).toThrow(/workbook/)
    expect(() => guessed('')).toThrow(/empty/)
  })
})

describe('the steps', () => {
  const progress = (created: number) => ({
    lines: 3,
    counts: { created, updated: 0, unchanged: 0, error: 0 },
    rejected: [],
  })
  const file = { name: 'a.csv', size: 3, format: 'csv' } as const
  const columns = [{ name: 'external_id', field: 'external_id', by: 'name' as const, samples: [] }]
  const done = { kind: 'done' } as const
  const stateAfter = (...events: ImportEvent[]) => events.reduce(afterEvent, NO_FILE)
  const picked = { type: 'picked', file, columns } as const

  it('lead from a file by a dry run to the import', () => {
    const checked = stateAfter(
      picked,
      { type: 'began', isDryRun: true },
      { type: 'ended', progress: progress(3), end: done },
    )
    expect([checked.at, mayImport(checked)]).toEqual(['ended', true])
    expect(afterEvent(checked, { type: 'began', isDryRun: false })).toMatchObject({ at: 'running', isDryRun: false })
  })

  it('never import without a finished dry run of the same columns', () => {
    const event: fc.Arbitrary<ImportEvent> = fc.oneof(
      fc.constant(picked),
      fc.constantFrom<ImportEvent>({ type: 'back' }, { type: 'left' }, { type: 'continued' }),
      fc.record({ type: fc.constant('began' as const), isDryRun: fc.boolean() }),
      fc.record({
        type: fc.constant('mapped' as const),
        name: fc.constant('external_id'),
        field: fc.constantFrom('external_id', null),
      }),
      fc.record({
        type: fc.constant('ended' as const),
        progress: fc.constantFrom(progress(0), progress(3)),
        end: fc.constantFrom(done, { kind: 'gave_up' as const, message: 'away' }),
      }),
    )
    fc.assert(
      fc.property(fc.array(event, { maxLength: 12 }), (events) => {
        let state: ImportState = NO_FILE
        let checked: unknown = null
        for (const each of events) {
          const next = afterEvent(state, each)
          if (next.at === 'running' && !next.isDryRun && state.at !== 'running') expect(next.columns).toBe(checked)
          if (next.at === 'ended' && next.isDryRun && next.end.kind === 'done') checked = next.columns
          state = next
        }
      }),
      { numRuns: 500 },
    )
  })

  it('do not begin a dry run without a column for the external id', () => {
    expect(mayCheck(stateAfter(picked))).toBe(true)
    expect(mayCheck(stateAfter(picked, { type: 'mapped', name: 'external_id', field: null }))).toBe(false)
  })
})

describe('a run', () => {
  let server: Server
  let url: URL
  let received: string[]
  /** The lines after which each request breaks off. */
  let breaksAfter: number[]

  beforeEach(async () => {
    received = []
    breaksAfter = []
    server = createServer(async (request, response) => {
      let text = ''
      for await (const chunk of request) text += chunk
      const lines = text.split('\n').filter((line) => line !== '')
      const breakAt = lines.length === 0 ? null : (breaksAfter.shift() ?? null)
      for (const [at, line] of lines.entries()) {
        if (at === breakAt) return void request.socket.destroySoon()
        const customer = JSON.parse(line)
        received.push(customer.external_id)
        const isBad = customer.email?.includes(' ')
        const errors = isBad ? [{ field: 'email', message: 'is no address', fix: 'send one' }] : []
        response.write(
          `${JSON.stringify({ line: at + 1, result: isBad ? 'error' : 'created', external_id: customer.external_id, errors })}\n`,
        )
      }
      response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/customers/import`)
  })
  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })

  function run(text: string, isDryRun = false) {
    const { columns, delimiter } = guessed(text)
    return new ImportRun({
      file: new Blob([text]),
      reading: { ...READING, format: 'csv', delimiter, map: mapOf(columns) },
      url,
      headers: {},
      isDryRun,
      onProgress: () => undefined,
      wait: async () => undefined,
    })
  }

  const MESSY = 'id,Mail\n"child,1",a@b.example\nk2,not an address\nk3,x,y,z\n\n"k4,c@d.example\n'

  it('counts each line once, and gives the failed ones back as a file with the reasons', async () => {
    const importing = run(MESSY)
    expect(await importing.run(new AbortController().signal)).toEqual({ kind: 'done' })
    const { lines, counts, rejected } = importing.progress
    expect([lines, counts]).toEqual([4, { created: 1, updated: 0, unchanged: 0, error: 3 }])
    expect(rejected.map(({ line }) => line).sort()).toEqual([3, 4, 6])
    expect(rejected.find(({ line }) => line === 3)?.why).toBe('Mail "not an address" is no address: send one')
    expect(importing.rejects()).toMatch(/^\ufeffid,Mail,import_error\r\n/)
    expect(importing.rejects()).toContain('k2,not an address,"Mail ""not an address"" is no address: send one"')
  })

  it('goes on behind the last result when it is run again, and counts nothing twice', async () => {
    const text = `external_id\n${Array.from({ length: 20 }, (_, at) => `k${at}`).join('\n')}\n`
    // Five attempts without a result more, and the run gives up.
    breaksAfter = [7, 0, 0, 0, 0, 0]
    const importing = run(text)
    expect((await importing.run(new AbortController().signal)).kind).toBe('gave_up')
    const before = importing.progress.counts.created
    expect(before).toBeLessThan(20)
    breaksAfter = []
    expect(await importing.run(new AbortController().signal)).toEqual({ kind: 'done' })
    expect(importing.progress.counts).toEqual({ created: 20, updated: 0, unchanged: 0, error: 0 })
    expect([...new Set(received)]).toHaveLength(20)
  })

  it('refuses a file that is not UTF-8 as a whole, and sends nothing of it', async () => {
    const importing = new ImportRun({
      file: new Blob(['external_id\nk1\n', Uint8Array.of(0xe4), '\n']),
      reading: { ...READING, format: 'csv', map: new Map() },
      url,
      headers: {},
      isDryRun: false,
      onProgress: () => undefined,
    })
    await expect(importing.run(new AbortController().signal)).rejects.toThrow(/not UTF-8/)
    expect(received).toEqual([])
  })
})
