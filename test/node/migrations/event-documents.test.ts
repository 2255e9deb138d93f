/** The triggers write what the reader of events needs, and no more: from it the reader makes both customers again. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { documentAfter, documentBefore, storedDocument } from '../../../src/storage/event-documents.ts'
import { change, insert, migrated, type Row, UNSET } from './migrated.ts'

const database = migrated()
database.exec('PRAGMA foreign_keys = OFF')

const ID = 'cust_00000000000000000000000001'
const text = fc.option(fc.string({ maxLength: 5 }), { nil: null })
const json = (value: fc.Arbitrary<unknown>) => value.map((made) => JSON.stringify(made))
const time = fc.integer({ min: 1, max: 5 })
const actor = fc.constantFrom('key_1', 'key_2')

/** The columns that a change may set. Values repeat often, so that some fields stay as they are. */
const columns: fc.Arbitrary<Row> = fc.record({
  external_id: fc.constantFrom('a', 'b', ID),
  name: text,
  email: text,
  contact: text,
  address_line1: text,
  address_line2: text,
  address_city: text,
  address_state: text,
  address_postal_code: text,
  address_country: fc.constantFrom(null, 'DE'),
  timezone: fc.constantFrom('UTC', 'Europe/Berlin'),
  metadata: json(fc.dictionary(fc.constantFrom('a', 'x', '__proto__', 'stamps'), fc.string({ maxLength: 3 }))),
  integrations: json(fc.constantFrom([], [{ provider: 'stripe', id: 'cus_1', details: '{"a":null}' }])),
  profile: json(fc.constantFrom({}, { email_verified: null }, { geo_location: { latitude: { digits: '1.10' } } })),
  status: fc.constantFrom('published', 'draft'),
  archived_at: fc.constantFrom(null, 3),
  updated_at: time,
  updated_by: actor,
})

const creation = fc.tuple(columns, time, actor).map(
  ([row, created_at, created_by]): Row => ({
    ...row,
    created_at,
    created_by,
  }),
)

let made = 0

/** Writes a customer, changes it, and returns what the two events store. */
function eventsOf(first: Row, second: Row) {
  const key = { tenant_id: `t${made++}`, mode: 'live', id: ID }
  const row = { ...key, ...first, version: 1, change_id: 'evt_1', change_onboarding: '' }
  insert(database, 'customers', row)
  change(database, key, { ...second, version: 2, change_id: 'evt_2' })
  return database
    .prepare('SELECT * FROM events WHERE tenant_id = ? ORDER BY id')
    .all(key.tenant_id)
    .map((event) => {
      const { customer_id: customerId, version, actor: by, created_at: createdAtMs } = event as never
      const stored = { before: JSON.parse(String(event.before)), after: JSON.parse(String(event.after)) }
      return { columns: { customerId, version, actor: by, createdAtMs }, stored }
    })
}

function documentOf(row: Row, version: number) {
  return {
    id: ID,
    external_id: row.external_id,
    ...{ name: row.name, email: row.email, contact: row.contact },
    timezone: row.timezone,
    address: {
      ...{ line1: row.address_line1, line2: row.address_line2, city: row.address_city },
      ...{ state: row.address_state, postal_code: row.address_postal_code, country: row.address_country },
    },
    parent_id: null,
    metadata: JSON.parse(String(row.metadata)),
    integrations: JSON.parse(String(row.integrations)),
    profile: JSON.parse(String(row.profile)),
    status: row.status,
    archived_at: row.archived_at,
    version,
    stamps: {
      ...{ created_at: row.created_at, updated_at: row.updated_at },
      ...{ created_by: row.created_by, updated_by: row.updated_by },
    },
  }
}

describe('the events of a customer that is created and then changed', () => {
  it('are read as the customers that they were, whatever the change', () => {
    fc.assert(
      fc.property(creation, columns, (first, second) => {
        const [created, changed] = eventsOf(first, second)
        if (!created || !changed) throw new Error('a change has no event')
        const [before, after] = [documentOf(first, 1), documentOf({ ...first, ...second }, 2)]
        expect(documentBefore(created.columns, created.stored)).toBe(null)
        expect(documentAfter(created.columns, created.stored.after)).toEqual(before)
        expect(documentAfter(changed.columns, changed.stored.after)).toEqual(after)
        expect(documentBefore(changed.columns, changed.stored)).toEqual(before)
        // The end of an onboarding stores the customer in the same way.
        for (const { columns: facts, stored } of [created, changed]) {
          expect(storedDocument(facts, documentAfter(facts, stored.after))).toEqual(withoutEmpty(stored.after))
        }
      }),
      { numRuns: 200 },
    )
  })

  it('have nothing of what did not change, and no null but for what was not set before', () => {
    const first: Row = { ...UNSET, name: 'Ada', address_city: 'Paris', metadata: '{"a":"1"}' }
    const [, changed] = eventsOf(first, { ...first, email: 'a@b.c', address_city: 'Rome', updated_at: 2 })
    expect(changed?.stored).toEqual({
      before: { email: null, address: { city: 'Paris' }, stamps: { updated_at: 1 } },
      after: {
        external_id: 'a',
        name: 'Ada',
        email: 'a@b.c',
        address: { city: 'Rome' },
        metadata: { a: '1' },
        stamps: { created_at: 1 },
      },
    })
  })
})

/** The triggers leave the group of stamps even when it is empty, for an erasure to copy. */
function withoutEmpty({ stamps, ...stored }: { stamps: object }): object {
  return Object.keys(stamps).length === 0 ? stored : { ...stored, stamps }
}
