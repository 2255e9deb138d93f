/** The same place in another mode, or for another tenant. */
import { expect, it } from 'vitest'
import { keepRows } from '../../../console/src/api/keep-rows.ts'
import { inMode, withTenant } from '../../../console/src/lib/places.ts'

const A = '01a21e14-1d6b-7607-b3e5-580a9b78905d'
const B = '01a21e14-1d6b-7607-b3e5-580a9b789000'

it.each([
  [`/console/?tenant=${A}&mode=test&q=acme`, `/console/?tenant=${A}&mode=live&q=acme`],
  [`/console/tenants/${A}/test/customers/cust_1/edit`, `/console/?tenant=${A}&mode=live`],
  [`/console/tenants/${A}/test/endpoints/whe_1?status=failed`, `/console/tenants/${A}?tab=webhooks&mode=live`],
  [`/console/tenants/${A}?tab=keys&mode=test`, `/console/tenants/${A}?tab=keys&mode=live`],
  [`/console/import?tenant=${A}&mode=test`, `/console/import?tenant=${A}&mode=live`],
])('goes from %s to the same place in live mode', (from, to) => {
  expect(inMode(from, 'live')).toBe(to)
})

it.each([
  [`/console/?q=acme`, `/console/?tenant=${B}&mode=test`, '/console/'],
  [`/console/tenants/${A}?tab=keys`, `/console/tenants/${B}?tab=keys`, '/console/tenants'],
  [`/console/tenants/${A}/live/customers/cust_1`, `/console/?tenant=${B}&mode=test`, '/console/'],
  [`/console/audit?tenant_id=${A}`, `/console/audit?tenant_id=${B}`, '/console/audit'],
  [`/console/import?tenant=${A}&mode=live`, `/console/import?tenant=${B}&mode=test`, '/console/import'],
])('goes from %s to the same screen of another tenant, or of all', (from, to, all) => {
  expect(withTenant(from, B, 'test')).toBe(to)
  expect(withTenant(from, null, 'test')).toBe(all)
})

it('keeps rows while others of the same place load, and never those of another tenant or mode', () => {
  const keep = keepRows('customers', A, 'live')
  const before = (...queryKey: unknown[]) => ({ queryKey })
  expect(keep(['row'], before('customers', A, 'live', 'acm'))).toEqual(['row'])
  expect(keep(['row'], before('customers', B, 'live', 'acm'))).toBeUndefined()
  expect(keep(['row'], before('customers', A, 'test', 'acm'))).toBeUndefined()
  expect(keep(['row'], undefined)).toBeUndefined()
})
