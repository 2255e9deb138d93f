import type { V1Customer } from 'roster/client'
import { describe, expect, it } from 'vitest'
import { bothHave, keptTexts, movesOf, reasonsText } from '../../../console/src/lib/merge.ts'
import { changesToPast, eventsToGoBackTo } from '../../../console/src/lib/past.ts'
import { readUndo, type UndoProgress, undoOfRequest } from '../../../console/src/lib/undo-run.ts'

function customer(fields: Partial<V1Customer>): V1Customer {
  const empty = { external_id: 'a', name: '', email: '', contact: null, timezone: 'UTC', parent_customer_id: null }
  const address = { address_line1: '', address_line2: '', address_city: '', address_state: '' }
  const rest = { address_postal_code: '', address_country: '', metadata: {}, status: 'published' }
  return { ...empty, ...address, ...rest, ...fields } as V1Customer
}

describe('going back', () => {
  it('names the fields, the keys of the metadata, and the integrations whatever their order', () => {
    const entities = [
      { provider: 'stripe', id: 'cus_1' },
      { provider: 'hubspot', id: '7' },
    ] as V1Customer['integrations']
    const now = customer({ name: 'New', metadata: { plan: 'pro' }, integrations: entities?.toReversed() ?? [] })
    const then = customer({ name: 'Old', metadata: {}, integrations: entities ?? [] })
    expect(changesToPast(now, then)).toEqual([
      { field: 'name', before: 'New', after: 'Old' },
      { field: 'metadata.plan', before: 'pro', after: null },
    ])
    expect(changesToPast(now, { ...now, integrations: entities?.slice(0, 1) ?? [] })).toEqual([
      { field: 'integration_entity_mapping', before: 'hubspot 7, stripe cus_1', after: 'stripe cus_1' },
    ])
  })

  it('offers every version but the newest, and nothing of the onboarding', () => {
    const event = (id: string, type: string, data: object | null = {}) => ({ id, type, data: { customer: data } })
    const events = [
      event('5', 'customer.onboarding.completed'),
      event('4', 'customer.updated'),
      event('3', 'customer.onboarding.failed'),
      event('2', 'customer.updated', null),
      event('1', 'customer.created'),
    ]
    expect([...eventsToGoBackTo(events)]).toEqual(['1'])
    const merges = [event('8', 'customer.unmerged'), event('7', 'customer.merged'), ...events]
    expect([...eventsToGoBackTo([event('9', 'customer.updated'), ...merges])]).toEqual(['8', '7', '4', '1'])
  })
})

describe('a merge', () => {
  it('asks only where both have a value, and not the same', () => {
    const target = customer({
      name: 'A',
      email: 'x@y.example',
      address_city: 'Köln',
      metadata: { plan: 'pro', a: '1' },
    })
    const source = customer({ name: 'B', email: 'x@y.example', contact: '1', timezone: 'Asia/Tokyo' })
    expect(bothHave(target, source).map(({ field }) => field)).toEqual(['name'])
    const other = customer({ address_city: 'Bonn', metadata: { plan: 'scale', a: '1', b: '2' } })
    expect(bothHave(target, other)).toEqual([
      { field: 'address', label: 'Address', target: 'Köln', source: 'Bonn' },
      { field: 'metadata', label: 'Metadata', target: 'plan: pro', source: 'plan: scale' },
    ])
  })

  it('says what moves, and why two may be the same', () => {
    const moved = { external_ids: ['b', 'c'], integrations: [{ provider: 'stripe', id: 'cus_1' }], children: 1 }
    expect(movesOf(moved)).toEqual(['2 external ids: b, c', '1 integration: stripe cus_1', '1 child'])
    expect(movesOf({ external_ids: [], integrations: [], children: 0 })).toEqual([])
    const kept = [
      { customer_id: 'a', field: 'metadata', name: 'plan', reason: 'changed' as const },
      { customer_id: 'a', field: 'old_external_ids', name: 'b', reason: 'taken' as const },
      { customer_id: 's', field: 'parent_customer_id', name: null, reason: 'gone' as const },
      { customer_id: 'k', field: 'parent_customer_id', name: null, reason: 'changed' as const },
    ]
    expect(keptTexts(kept, { sourceId: 's', survivorId: 'a', survivorName: 'Acme' })).toEqual([
      'Metadata plan of Acme stays as it is: somebody has changed it since.',
      'Former external id b of Acme stays as it is: another customer has it now, or had it since.',
      'Parent of the customer that comes back stays as it is: the customer that it names is archived, erased or merged.',
      'Parent of the child k stays as it is: somebody has changed it since.',
    ])
    expect(reasonsText(['same_email', 'same_tax_number'])).toBe('same e-mail address, same tax number')
  })
})

describe('an undo', () => {
  const change = { event_id: 'e', type: 'customer.archived', actor: 'key_1', created_at: '2026-01-20T15:00:00Z' }
  const lines = [
    { result: 'reverted', id: 'c1', external_id: 'Ä' },
    { result: 'conflict', id: 'c2', external_id: 'b', reason: 'changed_later', change },
    { progress: { reverted: 1, unchanged: 0, conflict: 1 } },
    { result: 'conflict', id: 'c3', external_id: 'c', conflicts: [{ field: 'external_id', message: 'is taken' }] },
  ]

  /** Reads the text in pieces of so many bytes. */
  async function read(text: string, bytes = 7) {
    const all = new TextEncoder().encode(text)
    const pieces = Array.from({ length: Math.ceil(all.length / bytes) }, (_, at) =>
      all.slice(at * bytes, (at + 1) * bytes),
    )
    const shown: UndoProgress[] = []
    const end = await readUndo(
      new Blob(pieces).stream(),
      (id) => `key ${id}`,
      (progress) => shown.push(progress),
    )
    return { end, shown }
  }

  const text = (all: object[]) => all.map((line) => `${JSON.stringify(line)}\n`).join('')

  it('counts as it goes, says what is in the way of each, and ends with the id of the undo', async () => {
    const { end, shown } = await read(text([...lines, { done: true, undo_id: 'undo-1', reverted: 1 }]))
    expect(end).toMatchObject({ counts: { reverted: 1, unchanged: 0, conflict: 2 }, undoId: 'undo-1', stopped: null })
    expect(end.conflicts).toEqual([
      {
        id: 'c2',
        externalId: 'b',
        why: expect.stringMatching(/^Changed later: Customer archived, by key key_1, 20 Jan/),
      },
      { id: 'c3', externalId: 'c', why: 'External id is taken' },
    ])
    expect(shown.at(-1)).toEqual(end)
  })

  it('has not ended when the answer stops, with a reason or without', async () => {
    const { end } = await read(text([...lines, { stopped: true, error: 'the database is full' }]))
    expect(end).toMatchObject({ undoId: null, stopped: 'the database is full', counts: { reverted: 1 } })
    const cut = await read(text(lines).slice(0, -20))
    expect(cut.end).toMatchObject({ undoId: null, stopped: expect.stringContaining('Send it again') })
  })

  it('looks for a request from a day before the change that was found of it', () => {
    expect(undoOfRequest('imp_1', '2026-01-20T15:00:00.000Z')).toEqual({
      what: 'this import',
      choice: { importId: 'imp_1', since: '2026-01-19T15:00:00.000Z' },
    })
    expect(undoOfRequest('r', '2026-01-20T15:00:00.000Z').what).toBe('this request')
  })
})
