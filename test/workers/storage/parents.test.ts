import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Customer, LIMITS, type Scope } from '../../../src/registry/customer.ts'
import { readCustomer } from '../../../src/storage/customers/reads.ts'
import { importLines } from '../import/support.ts'
import { newTenant } from '../support/roster.ts'
import {
  archive,
  commit,
  committed,
  create,
  creation,
  customerOf,
  db,
  failureOf,
  insertMany,
  insertTenant,
  nthId,
  restore,
  update,
} from './support.ts'

describe('a parent', () => {
  it('is an existing, unarchived customer of the same tenant and mode, whether named by id or by external id', async () => {
    const scope = await insertTenant()
    const parent = await create(scope, { externalId: 'parent' })
    const archived = await create(scope, { externalId: 'gone' })
    await archive(scope, archived.id)
    const strangers = await Promise.all(
      [insertTenant(), { ...scope, mode: 'test' } as const].map(async (other) =>
        create(await other, { externalId: 'stranger' }),
      ),
    )
    const child = await create(scope, { parent: { externalId: 'parent' } })
    expect(child.parentId).toBe(parent.id)
    const nobody = [
      { id: 'cust_nobody' },
      { id: '' },
      { id: archived.id },
      { externalId: 'nobody' },
      { externalId: 'gone' },
      { externalId: 'stranger' },
      ...strangers.map(({ id }) => ({ id })),
    ]
    for (const reference of nobody) {
      expect(await failureOf(commit(scope, creation({ parent: reference })))).toEqual({ reason: 'parent_not_found' })
      expect(await failureOf(commit(scope, update(child.id, { parent: reference })))).toEqual({
        reason: 'parent_not_found',
      })
    }
    expect(await readCustomer(db, scope, child.id)).toMatchObject({ parentId: parent.id, version: 1 })
    expect(await committed(scope, update(child.id, { parent: null }))).toMatchObject({ parentId: null, version: 2 })
  })

  it('is the valid one when an archived or foreign customer has the same external id', async () => {
    const scope = await insertTenant('test')
    await create({ ...scope, mode: 'live' }, { externalId: 'parent' })
    await create(await insertTenant('test'), { externalId: 'parent' })
    const former = await create(scope, { externalId: 'parent' })
    await archive(scope, former.id)
    const parent = await create(scope, { externalId: 'parent' })
    expect(await create(scope, { parent: { externalId: 'parent' } })).toMatchObject({ parentId: parent.id })
  })

  it('is not named by a former external id', async () => {
    const scope = await insertTenant()
    const { id } = await create(scope, { externalId: 'old' })
    await committed(scope, update(id, { externalId: 'new' }))
    expect(await failureOf(commit(scope, creation({ parent: { externalId: 'old' } })))).toEqual({
      reason: 'parent_not_found',
    })
  })

  it('is never below its own child', async () => {
    const scope = await insertTenant()
    const chain = await chainOf(scope, 4)
    for (const below of chain) {
      const wanted = update(idAt(chain, 0), { parent: { id: below.id } })
      expect(await failureOf(commit(scope, wanted))).toEqual({ reason: 'parent_cycle' })
    }
  })

  it('makes a chain of at most ten, from either end and by joining two', async () => {
    const scope = await insertTenant()
    const tooDeep = { reason: 'parent_too_deep', levelsMax: 10 }
    const ten = await chainOf(scope, 10)
    expect(await failureOf(commit(scope, creation({ parent: { id: idAt(ten, 9) } })))).toEqual(tooDeep)
    const top = await create(scope)
    expect(await failureOf(commit(scope, update(idAt(ten, 0), { parent: { id: top.id } })))).toEqual(tooDeep)
    const [four, seven] = [await chainOf(scope, 4), await chainOf(scope, 7)]
    expect(await failureOf(commit(scope, update(idAt(seven, 0), { parent: { id: idAt(four, 3) } })))).toEqual(tooDeep)
    expect(await committed(scope, update(idAt(seven, 0), { parent: { id: idAt(four, 2) } }))).toMatchObject({
      version: 2,
    })
  })

  it('is not archived while it has a child that is not archived', async () => {
    const scope = await insertTenant()
    const [parent, child] = await chainOf(scope, 2)
    if (!parent || !child) throw new Error('a chain of two')
    expect(await failureOf(archive(scope, parent.id))).toEqual({ reason: 'has_children' })
    customerOf(await archive(scope, child.id))
    customerOf(await archive(scope, parent.id))
    expect(await failureOf(restore(scope, child.id))).toEqual({ reason: 'parent_not_found' })
    customerOf(await restore(scope, parent.id))
    expect(customerOf(await restore(scope, child.id))).toMatchObject({ parentId: parent.id, status: 'published' })
  })

  it('obeys these rules in any sequence of changes', async () => {
    const step = fc.tuple(fc.constantFrom('move', 'archive', 'restore'), fc.nat(5), fc.nat(5))
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const scope = await insertTenant()
        const ids: string[] = []
        for (let n = 0; n < 6; n++) ids.push((await create(scope)).id)
        for (const [kind, at, other] of steps) {
          const [id, parent] = [ids[at] as string, ids[other] as string]
          if (kind === 'move') await commit(scope, update(id, { parent: { id: parent } }))
          else await (kind === 'archive' ? archive : restore)(scope, id)
        }
        const all = new Map<string, Customer>()
        for (const id of ids) all.set(id, (await readCustomer(db, scope, id)) as Customer)
        for (const customer of all.values()) {
          if (customer.status === 'archived') continue
          const seen = new Set([customer.id])
          for (let up = customer.parentId; up !== null; up = all.get(up)?.parentId ?? null) {
            expect(all.get(up)?.status).not.toBe('archived')
            expect(seen.has(up)).toBe(false)
            seen.add(up)
          }
        }
      }),
      { numRuns: 40 },
    )
  })
})

/** Creates customers, each the parent of the next. */
async function chainOf(scope: Scope, length: number): Promise<Customer[]> {
  const chain: Customer[] = []
  for (let at = 0; at < length; at++) {
    const above = chain.at(-1)
    chain.push(await create(scope, above ? { parent: { id: above.id } } : {}))
  }
  return chain
}

function idAt(chain: readonly Customer[], at: number): string {
  return chain[at]?.id ?? ''
}

describe('a customer with many others below it', () => {
  const tooMany = { reason: 'too_many_descendants', descendantsMax: LIMITS.descendantsMax }

  it('gets another parent while they are a thousand at most, archived ones too', async () => {
    const scope = await insertTenant()
    await insertMany(scope, LIMITS.descendantsMax + 1, true)
    const parent = await create(scope, {})
    const other = await create(scope, {})
    const move = (to: Customer | null) => commit(scope, update(nthId(1), { parent: to && { id: to.id } }))
    expect(customerOf(await move(parent)).parentId).toBe(parent.id)
    // One more, two levels below, and then archived: the database looks at it all the same.
    const last = await create(scope, { parent: { id: nthId(2) } })
    expect(await failureOf(move(other))).toEqual(tooMany)
    await archive(scope, last.id)
    expect(await failureOf(move(other))).toEqual(tooMany)
    // Nothing below moves where the customer only loses its parent.
    expect(customerOf(await move(null)).parentId).toBeNull()
    await committed(scope, update(nthId(3), { parent: null }))
    expect(customerOf(await move(other)).parentId).toBe(other.id)
  })

  it('is refused in an import too, with its line', async () => {
    const { live, tenantId } = await newTenant()
    await insertMany({ tenantId, mode: 'live' }, LIMITS.descendantsMax + 2, true)
    const { results } = await importLines(live.key, [
      { external_id: 'above' },
      { external_id: 'ext_1', parent_customer_external_id: 'above' },
      { external_id: 'ext_2', parent_customer_external_id: 'above' },
    ])
    expect(results.map(({ result }) => result)).toEqual(['created', 'error', 'updated'])
    expect(results[1]?.errors[0]).toMatchObject({ field: 'parent_customer_external_id' })
  })
})
