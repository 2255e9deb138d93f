/**
 * Tests the sentences of the console: what changed, by whom, and why.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { auditCsv } from '../../../console/src/lib/audit-csv.ts'
import {
  changesOfEvent,
  changeText,
  fieldLabel,
  type Recorded,
  sentenceOf,
  shownValue,
} from '../../../console/src/lib/changes.ts'
import { byDay } from '../../../console/src/lib/timeline.ts'
import { CsvReader } from '../../../src/formats/files/csv.ts'
import { unescapeFormula } from '../../../src/shared/spreadsheet.ts'

function recorded(parts: Partial<Recorded>): Recorded {
  return { type: 'customer.updated', actor: 'billing', reason: null, changes: [], before: null, after: null, ...parts }
}

describe('a sentence', () => {
  it('names field, before, after, actor and reason', () => {
    const changes = [{ field: 'address_city', before: 'Köln', after: 'Bonn' }]
    expect(sentenceOf(recorded({ changes, reason: 'ticket 4711' }))).toBe('City Köln → Bonn, by billing, ticket 4711')
  })

  it('says Suspended and Reactivated, and counts the changes that it does not name', () => {
    const changes = [
      { field: 'status', before: 'active', after: 'suspended' },
      { field: 'tier', before: 'starter', after: 'scale' },
      { field: 'limits.burst', before: 20, after: 400 },
      { field: 'company_name', before: 'A', after: 'B' },
    ]
    const type = 'tenant.updated'
    expect(sentenceOf(recorded({ type, changes }))).toBe('Suspended, Tier starter → scale and 2 more, by billing')
    const back = [{ field: 'status', before: 'suspended', after: 'active' }]
    expect(sentenceOf(recorded({ type, changes: back }))).toBe('Reactivated, by billing')
  })

  it('names what was made or ended, and a type that it does not know', () => {
    const after = { name: 'billing', mode: 'live' }
    expect(
      sentenceOf(recorded({ type: 'key.created', after, changes: [{ field: 'name', before: null, after }] })),
    ).toBe('Key created: billing, by billing')
    expect(sentenceOf(recorded({ type: 'operator.key_made' }))).toBe('Operator key made, by billing')
    const merge = { after: { name: 'Acme' }, changes: [{ field: 'contact', before: '2', after: null }] }
    expect(sentenceOf(recorded({ type: 'customer.unmerged', ...merge }))).toBe(
      'A merge into this one taken back: Acme, by billing',
    )
  })

  it('shows any value on one line of bounded length', () => {
    expect([null, '', [], {}, true, 1234, ['a', 'b']].map(shownValue)).toEqual([
      ...['none', 'none', 'none', 'none', 'yes', '1,234', 'a, b'],
    ])
    fc.assert(
      fc.property(fc.jsonValue(), (value) => !shownValue(value).includes('\n') && [...shownValue(value)].length < 50),
    )
  })

  it('labels any field, also one that is named like a property of every object', () => {
    expect(
      ['address_city', 'address.city', 'limits.requests_per_second', 'metadata.plan_tier', 'constructor'].map(
        fieldLabel,
      ),
    ).toEqual([...['City', 'City', 'Requests per second', 'Metadata plan_tier', 'Constructor']])
    expect(changeText({ field: 'name', before: null, after: 'Ada' })).toBe('Name none → Ada')
  })
})

describe('the changes of an event', () => {
  it('are those between previous attributes and the customer, key by key', () => {
    const customer = { name: 'B', metadata: { plan: 'pro', seats: '3' }, email: '' }
    const previous_attributes = { name: 'A', metadata: { plan: 'free', old: '1', seats: '3' }, email: 'a@b.example' }
    expect(changesOfEvent({ customer, previous_attributes })).toEqual([
      { field: 'name', before: 'A', after: 'B' },
      { field: 'metadata.plan', before: 'free', after: 'pro' },
      { field: 'metadata.old', before: '1', after: null },
      { field: 'email', before: 'a@b.example', after: '' },
    ])
    expect(changesOfEvent({ customer: null, previous_attributes: {} })).toEqual([])
  })
})

describe('a timeline', () => {
  it('keeps every entry in its order, and begins a day at midnight of the reader', () => {
    const times = ['2026-11-27T00:30:00Z', '2026-11-26T23:30:00Z', '2026-11-26T22:30:00Z', '2026-11-20T12:00:00Z']
    const nowMs = Date.parse('2026-11-27T14:00:00Z')
    const labels = (zone: string) =>
      byDay(times, (time) => time, nowMs, zone).map(({ label, entries }) => [label, entries.length])
    expect(labels('UTC')).toEqual([
      ['Today', 1],
      ['Yesterday', 2],
      ['Fri 20 Nov 2026', 1],
    ])
    expect(labels('Europe/Berlin')).toEqual([
      ['Today', 2],
      ['Yesterday', 1],
      ['Fri 20 Nov 2026', 1],
    ])
    expect(byDay(times, (time) => time, nowMs, 'UTC').flatMap(({ entries }) => entries)).toEqual(times)
  })
})

describe('the audit as CSV', () => {
  it('has every entry whole, and no cell that a spreadsheet runs', () => {
    const text = fc.string({ unit: fc.constantFrom('=', '+', '@', '"', ',', ';', '\n', 'a', 'é') })
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text)), (pairs) => {
        const rows = pairs.map(([actor, reason]) => ({
          ...recorded({ actor, reason, type: 'tenant.updated' }),
          ...{ id: 'aud_1', tenant_id: null, mode: null, customer_id: null, key_id: null, request_id: '=1+1' },
          created_at: '2026-11-27T14:02:07.000Z',
        }))
        const reader = new CsvReader(',', 1_000_000)
        const records = [...reader.push(auditCsv(rows).slice(1)), ...reader.end()]
        expect(
          records.slice(1).map(({ cells }) => [cells[3], cells[4]].map((cell) => unescapeFormula(cell ?? ''))),
        ).toEqual(pairs)
        for (const { cells, fault } of records) {
          expect(fault).toBeNull()
          expect(cells.filter((cell) => /^[=+@-]/.test(cell))).toEqual([])
        }
      }),
    )
  })
})
