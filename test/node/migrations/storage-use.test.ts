/** The count of stored bytes, which the triggers keep, is what a recount of all customers and events finds. */

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { TEST_MODE_STORAGE_BYTES } from '../../../src/tenants/tiers.ts'
import { change, insert, insertTenant, migrated, UNSET } from './migrated.ts'

const database = migrated()

const RECOUNT = `SELECT coalesce(sum(bytes), 0) AS bytes FROM (
  SELECT 1300 + octet_length(external_id || coalesce(name, '') || coalesce(email, '') || timezone || metadata || integrations
    || profile || folded) AS bytes FROM customers WHERE tenant_id = ?1
  UNION ALL
  SELECT 500 + octet_length(coalesce(before, '') || after || coalesce(detail, '') || coalesce(reason, '')) + 1000 * deliveries
  FROM events WHERE tenant_id = ?1
  UNION ALL
  SELECT octet_length(given) FROM customer_merges WHERE tenant_id = ?1
)`

const bytesOf = (sql: string, tenantId: string) => Number(database.prepare(sql).get(tenantId)?.bytes ?? 0)
const counted = (tenantId: string) => bytesOf('SELECT bytes FROM storage_use WHERE tenant_id = ?', tenantId)

const texts = fc.record({
  name: fc.option(fc.string({ unit: 'grapheme', maxLength: 40 }), { nil: null }),
  email: fc.option(fc.string({ maxLength: 9 }), { nil: null }),
  metadata: fc.dictionary(fc.constantFrom('a', 'b'), fc.string({ maxLength: 99 })).map((made) => JSON.stringify(made)),
  change_reason: fc.option(fc.string({ maxLength: 20 }), { nil: null }),
})
const step = fc.oneof(
  fc.record({ kind: fc.constantFrom('create', 'update'), who: fc.nat(4), texts }),
  fc.record({
    kind: fc.constantFrom('archive', 'restore', 'erase', 'expire', 'subscribe', 'event', 'merge'),
    who: fc.nat(4),
  }),
)

it('equals a recount after any changes, erasures and deletions of old events', () => {
  let tenants = 0
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const tenant_id = `t${tenants++}`
      insertTenant(database, tenant_id)
      const alive = new Map<number, number>()
      for (const [at, { kind, who, ...given }] of steps.entries()) {
        const where = { tenant_id, id: `cust_${String(who).padStart(26, '0')}` }
        const version = (alive.get(who) ?? 0) + 1
        const facts = { version, change_id: `evt_${at}`, ...('texts' in given && given.texts) }
        if (kind === 'create' && version === 1) {
          insert(database, 'customers', { ...UNSET, mode: 'live', ...where, external_id: `x${who}`, ...facts })
        } else if (kind === 'expire') {
          database.prepare(`DELETE FROM events WHERE tenant_id = ? AND customer_id = ?`).run(tenant_id, where.id)
        } else if (kind === 'subscribe') {
          insert(database, 'webhook_endpoints', {
            ...{
              tenant_id,
              mode: 'live',
              id: `e${at}`,
              url: 'u',
              description: '',
              secrets: '[]',
              created_by: 'k',
              sealed_by: 's',
            },
            ...{ enabled: who % 2, event_types: who > 2 ? '["customer.archived"]' : null },
            ...{ created_at: 1, updated_at: 1, version: 1 },
          })
        } else if (kind === 'event') {
          const event = {
            tenant_id,
            mode: 'live',
            id: `evt_${at}`,
            type: 'onboarding.completed',
            customer_id: where.id,
          }
          insert(database, 'events', {
            ...event,
            version: 1,
            actor: 'k',
            after: '{}',
            detail: '{"a":1}',
            created_at: 1,
          })
        } else if (kind === 'merge') {
          const into = (who + 1) % 5
          if (!alive.get(who) || !alive.get(into)) continue
          const merged = { tenant_id, mode: 'live', source_id: where.id, survivor_id: `c${into}`, change_id: `m${at}` }
          insert(database, 'customer_merges', { ...merged, merged_at: 1, given: `{"at":"${'x'.repeat(at)}"}` })
          change(database, where, { merged_into: `c${into}`, archived_at: 1 })
          alive.set(who, Number.NaN)
        } else if (version > 1) {
          const erased = {
            name: null,
            email: null,
            metadata: '{}',
            external_id: where.id,
            archived_at: 1,
            erased_at: 1,
          }
          const state = { archive: { archived_at: 1 }, restore: { archived_at: null }, erase: erased }[kind as 'erase']
          change(database, where, { ...facts, ...state })
          // As the statement after an erasure does it.
          if (kind === 'erase') {
            database
              .prepare(`UPDATE customers SET name = NULL, email = NULL, metadata = '{}', external_id = id, erased_at = 1
                WHERE tenant_id = ? AND merged_into = ?`)
              .run(tenant_id, where.id)
          }
        } else continue
        if (kind === 'erase') alive.set(who, Number.NaN)
        else if (['create', 'update', 'archive', 'restore'].includes(kind)) alive.set(who, version)
        expect(counted(tenant_id), `after ${kind}`).toBe(bytesOf(RECOUNT, tenant_id))
      }
    }),
    { numRuns: 60 },
  )
})

it('bounds test mode as the usage of a tenant says', () => {
  const { sql } = database.prepare(`SELECT sql FROM sqlite_schema WHERE name = 'customers_changed'`).get() as {
    sql: string
  }
  expect(sql).toContain(`u.mode = 'test', ${TEST_MODE_STORAGE_BYTES},`)
})

it.each([
  ['a short name', { name: 'Acme' }],
  [
    'an address',
    { name: 'Acme GmbH', email: 'billing@acme.example', address_line1: 'Linden 77', address_city: 'Berlin' },
  ],
  ['10 KB of metadata', { name: 'Acme', metadata: JSON.stringify({ note: 'x'.repeat(10_000) }) }],
])('counts about the bytes of the pages that customers with %s and their changes take', (_, fields) => {
  const own = migrated()
  const bytesOfAll = `SELECT sum(pgsize) AS bytes FROM dbstat WHERE name <> 'sqlite_schema'`
  // An empty table or index has a page too, without any customer.
  const empty = Number(own.prepare(bytesOfAll).get()?.bytes)
  const tenant_id = '0197c4b8-6f2e-7d11-9a53-3c1f0e2b7a44'
  insertTenant(own, tenant_id)
  const idOf = (n: number) => `01M8DMMFZMBCNYSYR${String(n).padStart(9, '0')}`
  const key = 'key_01M8DMMFZMBCNYSYRHJJ7MG1K1'
  own.exec('BEGIN')
  for (let n = 0; n < 250; n++) {
    const facts = {
      external_id: `customer-${n}`,
      change_request_id: crypto.randomUUID(),
      created_by: key,
      updated_by: key,
    }
    const row = { ...UNSET, tenant_id, mode: 'live', id: `cust_${idOf(n)}`, change_id: `evt_${idOf(n)}` }
    insert(own, 'customers', { ...row, ...fields, ...facts })
  }
  for (let n = 0; n < 500; n++) {
    const facts = {
      version: 2,
      updated_at: n,
      change_id: `evt_${idOf(250 + n)}`,
      change_request_id: crypto.randomUUID(),
    }
    change(own, { tenant_id, id: `cust_${idOf(n % 250)}` }, { ...facts, contact: `${n}` })
  }
  own.exec('COMMIT')
  const real = Number(own.prepare(bytesOfAll).get()?.bytes) - empty
  const share = Number(own.prepare('SELECT bytes FROM storage_use').get()?.bytes) / real
  expect(share).toBeGreaterThan(0.8)
  expect(share).toBeLessThan(1.2)
})
