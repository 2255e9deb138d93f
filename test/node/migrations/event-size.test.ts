/** The room that a change takes in D1: of whole pages, for its event and for the entries of its indexes. */

import { encodeTime } from 'ulid'
import { expect, it } from 'vitest'
import { DOCUMENT_EXAMPLE } from '../../workers/apis/flatpeak/reference-example.ts'
import { change, insert, insertTenant, migrated, type Row, UNSET } from './migrated.ts'

const CUSTOMERS = 200
const CHANGES = 3
const TENANT = '0197c4b8-6f2e-7d11-9a53-3c1f0e2b7a44'
const KEY = 'key_01M8DMMFZMBCNYSYRHJJ7MG1K1'

const small: Row = { name: 'Acme GmbH' }
const ordinary: Row = {
  ...{ name: 'Acme GmbH', email: 'billing@acme.example', contact: '+49 30 1234567' },
  ...{ address_line1: 'Unter den Linden 77', address_line2: '3. OG', address_city: 'Berlin', address_state: 'Berlin' },
  ...{ address_postal_code: '10117', address_country: 'DE', timezone: 'Europe/Berlin' },
  metadata: '{"plan":"enterprise","segment":"manufacturing","account_manager":"ada"}',
}
const { personal_details: person, postal_address: address, ...groups } = DOCUMENT_EXAMPLE
const { email, phone, timezone, ...flags } = person
const flatpeak: Row = {
  ...{ email, contact: phone, timezone, address_line1: address.address_line1, address_line2: address.address_line2 },
  ...{ address_city: address.city, address_state: address.state, address_postal_code: address.post_code },
  ...{ address_country: address.country_code, profile: JSON.stringify({ personal_details: flags, ...groups }) },
}

/** Returns the mean number of bytes of a change of the phone number, for customers with these fields. */
function bytesOfChange(fields: Row): number {
  const database = migrated()
  insertTenant(database, TENANT)
  const id = (n: number) => `${encodeTime(1_795_700_000_000 + n, 10)}${String(n).padStart(16, '0')}`
  const where = (n: number) => ({ tenant_id: TENANT, mode: 'live', id: `cust_${id(n)}` })
  for (let n = 0; n < CUSTOMERS; n++) {
    const stamps = { created_at: 1_795_700_000_000, updated_at: 1_795_700_000_000, created_by: KEY, updated_by: KEY }
    const known = { external_id: `customer-${n}`, change_id: `evt_${id(n)}`, change_request_id: crypto.randomUUID() }
    insert(database, 'customers', { ...UNSET, ...where(n), ...fields, ...known, ...stamps })
  }
  const size = () =>
    Number(
      database
        .prepare(
          `SELECT sum(pgsize) AS bytes FROM dbstat WHERE name IN ('events', 'events_customer', 'sqlite_autoindex_events_1')`,
        )
        .get()?.bytes,
    )
  const before = size()
  for (let n = CUSTOMERS; n < CUSTOMERS * (CHANGES + 1); n++) {
    const stamps = {
      version: 1 + Math.floor(n / CUSTOMERS),
      updated_at: 1_795_700_900_000 + n,
      updated_by: `${KEY.slice(0, -1)}2`,
    }
    const facts = { change_id: `evt_${id(n)}`, change_request_id: crypto.randomUUID() }
    change(database, where(n % CUSTOMERS), { contact: `+49 30 ${n}`, ...stamps, ...facts })
  }
  return (size() - before) / (CUSTOMERS * CHANGES)
}

it.each([
  ['with a name', small, 900],
  ['with an address, an e-mail address and three metadata', ordinary, 1_300],
  ["of FlatPeak's example", flatpeak, 1_600],
])('takes at most so many bytes to change the phone number of a customer %s', (_, fields, bytesMax) => {
  const bytes = bytesOfChange(fields)
  expect(bytes).toBeLessThanOrEqual(bytesMax)
})
