/** The format of the archive: what goes in comes out, to the digit, and not without every key. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { customerFilter, mayHaveCustomer } from '../../../src/storage/archive/customer-filter.ts'
import { eventOf, type Line, lineOf, packed, type StoredEvent, unpacked } from '../../../src/storage/archive/format.ts'
import { newCustomerKey, sealerFor } from '../../../src/storage/archive/seal.ts'
import { ownersOf, type Stay } from '../../../src/storage/archive/stays.ts'

const SCOPE = { tenantId: '01a221f5-2be1-7f7f-88b4-b20ff10b2b76', mode: 'live' } as const
const text = fc.string({ unit: 'binary' }).map((given) => given.toWellFormed())
const document = fc
  .dictionary(text, fc.oneof(text, fc.double({ noNaN: true }), fc.constant(null)))
  .map((given) => JSON.stringify(given))

const stored: fc.Arbitrary<StoredEvent> = fc.record({
  id: fc.integer({ min: 0 }).map((n) => `evt_${n}`),
  rowid: fc.integer(),
  type: fc.constant('customer.updated' as const),
  customerId: fc.constantFrom('cust_1', 'cust_2'),
  version: fc.nat(),
  actor: text,
  requestId: fc.option(text),
  reason: fc.option(text),
  before: fc.option(document),
  after: document,
  detail: fc.option(document),
  createdAtMs: fc.nat(),
  role: fc.option(text),
  sessionId: fc.option(text),
})

it('returns every event as it was, in the same bytes each time', async () => {
  const sealer = await sealerFor([newCustomerKey(), newCustomerKey()])
  const property = fc.asyncProperty(fc.array(stored, { minLength: 1, maxLength: 5 }), async (events) => {
    const lines = async () => Promise.all(events.map((event) => lineOf(SCOPE, event, ['cust_1', 'cust_2'], sealer)))
    const bytes = await packed(await lines())
    expect(await packed(await lines())).toEqual(bytes)
    const read = await unpacked(bytes as Uint8Array<ArrayBuffer>)
    for (const [at, event] of events.entries()) {
      const { before, after, detail, rowid: _, ...others } = event
      expect(await eventOf(SCOPE, read[at] as Line, sealer)).toMatchObject({
        ...others,
        before: before && JSON.parse(before),
        after: JSON.parse(after),
        detail: detail && JSON.parse(detail),
      })
    }
  })
  await fc.assert(property, { numRuns: 50 })
})

it('has nothing of a customer in clear, and opens with no other set of keys, order, event or tenant', async () => {
  const [one, other, third] = [newCustomerKey(), newCustomerKey(), newCustomerKey()]
  const after = '{"external_id":"jane","name":"Jane","status":"draft","stamps":{"created_by":"key_1"}}'
  const event: StoredEvent = {
    ...{
      id: 'evt_1',
      rowid: 1,
      type: 'customer.updated',
      customerId: 'cust_1',
      version: 2,
      actor: 'key_1',
      requestId: null,
    },
    ...{ reason: 'jane asked', before: '{"name":"jane"}', after, detail: '{"who":"jane"}', createdAtMs: 1 },
    ...{ role: null, sessionId: null },
  }
  const line = await lineOf(SCOPE, event, ['cust_1', 'cust_2'], await sealerFor([one, other]))
  expect(JSON.stringify(line)).not.toMatch(/jane/i)
  const left = { external_id: 'cust_1', status: 'draft', stamps: { created_by: 'key_1' } }
  expect(await eventOf(SCOPE, line, null)).toMatchObject({ before: null, after: left, detail: null, reason: null })
  for (const keys of [[one], [other], [other, one], [one, third], [one, other, third]]) {
    await expect(eventOf(SCOPE, line, await sealerFor(keys))).rejects.toThrow()
  }
  const right = await sealerFor([one, other])
  await expect(eventOf(SCOPE, { ...line, id: 'evt_2' }, right)).rejects.toThrow()
  await expect(eventOf({ ...SCOPE, mode: 'test' }, line, right)).rejects.toThrow()
  // No key, no personal data: an owner was erased before the event was archived.
  expect(await lineOf(SCOPE, event, ['cust_1', 'cust_2'], null)).toMatchObject({ left, owners: [], rest: null })
})

it('uses a nonce once: another text of the same event is sealed under another one', async () => {
  const sealer = await sealerFor([newCustomerKey()])
  const nonceOf = async (place: string, sealed: string) => (await sealer.seal(place, sealed)).slice(0, 16)
  expect(await nonceOf('a', 'text')).toBe(await nonceOf('a', 'text'))
  expect(new Set([await nonceOf('a', 'text'), await nonceOf('a', 'texts'), await nonceOf('b', 'text')]).size).toBe(3)
})

it('keeps an event without a customer in clear', async () => {
  const event = {
    type: 'webhook.endpoint.disabled',
    customerId: '',
    after: '{}',
    before: null,
    detail: '{"a":1}',
    reason: null,
  } as StoredEvent
  const line = await lineOf(SCOPE, event, [], null)
  expect(await eventOf(SCOPE, line, null)).toMatchObject({ detail: { a: 1 }, after: {} })
})

it('finds every customer in a filter, and few that are not in it', () => {
  const ids = (from: number, count: number) =>
    Array.from({ length: count }, (_, at) => `cust_01JD3VQ4X8N2M7R5T9W6${String(from + at).padStart(6, '0')}`)
  for (const count of [0, 1, 5, 100, 2_000]) {
    const known = ids(0, count)
    const filter = customerFilter(new Set(known))
    expect(known.every((id) => mayHaveCustomer(filter, id))).toBe(true)
    expect(ids(500_000, 10_000).filter((id) => mayHaveCustomer(filter, id)).length).toBeLessThan(40)
  }
})

it('says whose data an event has: the guests that were there, those that came with them, and nobody before or after', () => {
  const stay = (customerId: string, hostId: string, given: Partial<Stay>): Stay => ({
    ...{ customerId, hostId, aboveVersion: 4, untilVersion: null, sinceMs: 100, untilMs: null },
    ...given,
  })
  const owners = (version: number, stays: Stay[], createdAtMs = 500) =>
    ownersOf({ customerId: 'host', version, createdAtMs }, stays)
  const ended = stay('guest', 'host', { untilVersion: 8, untilMs: 900 })
  expect([4, 5, 8, 9].map((version) => owners(version, [ended]))).toEqual([
    ['host'],
    ['host', 'guest'],
    ['host', 'guest'],
    ['host'],
  ])
  expect(owners(5, [ended], 99)).toEqual(['host'])
  expect(owners(50, [stay('guest', 'host', {})])).toEqual(['host', 'guest'])
  const came = stay('child', 'guest', { sinceMs: 50 })
  const gone = stay('child', 'guest', { sinceMs: 50, untilMs: 90, untilVersion: 4 })
  const later = stay('child', 'guest', { sinceMs: 200 })
  expect([came, gone, later].map((of) => owners(6, [ended, of]))).toEqual([
    ['host', 'child', 'guest'],
    ['host', 'guest'],
    ['host', 'guest'],
  ])
  const circle = [ended, stay('host', 'guest', { sinceMs: 50 })]
  expect(owners(6, circle)).toEqual(['host', 'guest'])
})
