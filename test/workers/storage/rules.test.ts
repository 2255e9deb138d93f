import { and, eq } from 'drizzle-orm'
import fc from 'fast-check'
import { ulid } from 'ulid'
import { describe, expect, it } from 'vitest'
import type { Scope } from '../../../src/registry/customer.ts'
import {
  readAliases,
  readAliasesOfEach,
  readByExternalId,
  readCustomer,
  resolveExternalId,
} from '../../../src/storage/customers/reads.ts'
import { customerCounts, integrationMappings } from '../../../src/storage/schema/tables.ts'
import {
  archive,
  commit,
  committed,
  create,
  creation,
  customerOf,
  db,
  failureOf,
  insertTenant,
  only,
  prepared,
  restore,
  store,
  update,
} from './support.ts'

describe('an external id', () => {
  it('belongs to one customer that is not archived; the second creator learns its id', async () => {
    const scope = await insertTenant()
    const first = await create(scope, { externalId: 'x' })
    const taken = { reason: 'external_id_taken', externalId: 'x', customerId: first.id }
    expect(await failureOf(commit(scope, creation({ externalId: 'x' })))).toEqual(taken)
    expect(await commit(scope, creation({ externalId: 'x', name: 'ignored' }, 'return'))).toMatchObject({
      ok: true,
      effect: 'unchanged',
      customer: first,
    })
    const orphaned = { externalId: 'x', parent: { id: 'cust_nobody' } }
    expect(await commit(scope, creation(orphaned, 'return'))).toMatchObject({ effect: 'unchanged', customer: first })
    const second = await create(scope, { externalId: 'y' })
    expect(await failureOf(commit(scope, update(second.id, { externalId: 'x' })))).toEqual(taken)
    expect(await readCustomer(db, scope, second.id)).toEqual(second)
    await create({ ...scope, mode: 'test' }, { externalId: 'x' })
    await create(await insertTenant(), { externalId: 'x' })
  })

  it('is free again after archiving; the archived customer cannot come back while another has it', async () => {
    const scope = await insertTenant()
    const first = await create(scope, { externalId: 'x' })
    await archive(scope, first.id)
    expect(await readByExternalId(db, scope, 'x')).toBeNull()
    const second = await create(scope, { externalId: 'x' })
    expect(await failureOf(restore(scope, first.id))).toEqual({
      reason: 'external_id_taken',
      externalId: 'x',
      customerId: second.id,
    })
    await committed(scope, update(second.id, { externalId: 'z' }))
    customerOf(await restore(scope, first.id))
    expect(await readByExternalId(db, scope, 'x')).toMatchObject({ id: first.id })
  })

  it('is compared byte for byte and stored as it is', async () => {
    const scope = await insertTenant()
    const various = ['a', 'A', 'a ', 'é', 'e\u0301', '%', '/a/b?c#d', '😀'.repeat(255), "'; DROP TABLE customers; --"]
    for (const externalId of various) await create(scope, { externalId })
    for (const externalId of various) {
      expect(await readByExternalId(db, scope, externalId)).toMatchObject({ externalId })
    }
  })

  it('still finds its customer after a change until another customer takes it', async () => {
    const scope = await insertTenant()
    const { id } = await create(scope, { externalId: 'one' })
    for (const externalId of ['two', 'three', 'two']) await committed(scope, update(id, { externalId }))
    expect(await readAliases(db, scope, id)).toEqual(['one', 'three'])
    for (const externalId of ['one', 'two', 'three']) {
      expect(await resolveExternalId(db, scope, externalId)).toBe(id)
      expect(await readByExternalId(db, scope, externalId)).toMatchObject({ id, externalId: 'two' })
    }
    const other = await create(scope, { externalId: 'one' })
    expect(await resolveExternalId(db, scope, 'one')).toBe(other.id)
    await committed(scope, update(other.id, { externalId: 'three' }))
    expect(await resolveExternalId(db, scope, 'three')).toBe(other.id)
    expect(await resolveExternalId(db, scope, 'one')).toBe(other.id)
    expect(await readAliases(db, scope, id)).toEqual([])
    expect([...(await readAliasesOfEach(db, scope, [id, other.id]))]).toEqual([[other.id, ['one']]])
    await archive(scope, other.id)
    for (const externalId of ['one', 'three', 'nobody'])
      expect(await resolveExternalId(db, scope, externalId)).toBeNull()
    expect(await resolveExternalId(db, { ...scope, mode: 'test' }, 'two')).toBeNull()
  })

  it('names the target of a change, former ones too; an id beside it must mean the same customer', async () => {
    const scope = await insertTenant()
    const { id } = await create(scope, { externalId: 'old' })
    const other = await create(scope, { externalId: 'other' })
    await committed(scope, update(id, { externalId: 'new' }))
    const rename = (target: { id?: string; externalId: string }, name: string) =>
      commit(scope, {
        kind: 'update',
        target: target as { id: string; externalId: string },
        changes: { name },
        ifVersion: null,
      })
    expect(customerOf(await rename({ externalId: 'old' }, 'A'))).toMatchObject({ id, name: 'A' })
    expect(customerOf(await rename({ id, externalId: 'new' }, 'B'))).toMatchObject({ id, name: 'B' })
    expect(await failureOf(rename({ id: other.id, externalId: 'new' }, 'C'))).toEqual({ reason: 'targets_disagree' })
    expect(await failureOf(rename({ id, externalId: 'nobody' }, 'C'))).toEqual({
      reason: 'not_found',
      resource: 'customer',
    })
  })

  it('takes the change along when it moved to another customer between look-up and change', async () => {
    const scope = await insertTenant()
    const first = await create(scope, { externalId: 'x' })
    const command = { kind: 'update', target: { externalId: 'x' }, changes: { name: 'N' }, ifVersion: null } as const
    const target = await store.resolveTarget(scope, command)
    if (!target.ok) throw new Error('x is there')
    await committed(scope, update(first.id, { externalId: 'y' }))
    const second = await create(scope, { externalId: 'x' })
    const late = only((await store.commitWrites(scope, [prepared(target.command)])).results)
    expect(late).toMatchObject({ ok: false, targetMoved: true })
    expect(customerOf(await commit(scope, command))).toMatchObject({ id: second.id, name: 'N' })
    // The same when its customer was archived meanwhile.
    const again = await store.resolveTarget(scope, { kind: 'archive', target: { externalId: 'x' }, ifVersion: null })
    if (!again.ok) throw new Error('x is there')
    await archive(scope, second.id)
    expect(only((await store.commitWrites(scope, [prepared(again.command)])).results)).toMatchObject({
      targetMoved: true,
    })
  })
})

describe('an upsert', () => {
  it('makes one customer, however many race for it, and updates it from then on', async () => {
    const scope = await insertTenant()
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, n) => {
        const id = `cust_${ulid()}`
        const metadata = { merge: { [`key ${n % 40}`]: 'x', gone: null } }
        return commit(scope, {
          kind: 'upsert',
          id,
          externalId: 'x',
          changes: { name: 'same', metadata },
          ifVersion: null,
        })
      }),
    )
    const made = results.map(customerOf)
    expect(new Set(made.map(({ id }) => id)).size).toBe(1)
    expect(results.filter((result) => result.ok && result.effect === 'created')).toHaveLength(1)
    const read = await readByExternalId(db, scope, 'x')
    expect(Object.keys(read?.metadata ?? {})).toHaveLength(40)
    expect(read?.version).toBe(40)
  })

  it('does not create when it expects a version', async () => {
    const scope = await insertTenant()
    const command = { kind: 'upsert', id: `cust_${ulid()}`, externalId: 'x', changes: {}, ifVersion: 1 } as const
    expect(await failureOf(commit(scope, command))).toEqual({
      reason: 'version_conflict',
      currentVersion: 0,
      unmet: 'missing',
    })
    expect(await commit(scope, { ...command, ifVersion: null })).toMatchObject({ ok: true, effect: 'created' })
    expect(await commit(scope, command)).toMatchObject({ ok: true, effect: 'unchanged' })
  })
})

describe('an entity of a provider', () => {
  const mappings = async ({ tenantId, mode }: Scope) => {
    const rows = await db
      .select()
      .from(integrationMappings)
      .where(and(eq(integrationMappings.tenantId, tenantId), eq(integrationMappings.mode, mode)))
    return rows.map(({ provider, entityId, customerId }) => `${provider} ${entityId} ${customerId}`).sort()
  }

  it('belongs to one customer that is not archived', async () => {
    const scope = await insertTenant()
    const entity = { provider: 'stripe', id: 'cus_1', details: '{"account":"acct_1"}' }
    const first = await create(scope, { integrations: [entity] })
    expect(
      await failureOf(commit(scope, creation({ integrations: [{ ...entity, details: '{"account":"acct_2"}' }] }))),
    ).toEqual({
      reason: 'integration_taken',
    })
    const second = await create(scope, { integrations: [{ provider: 'paddle', id: 'cus_1' }] })
    expect(await failureOf(commit(scope, update(second.id, { integrations: [entity] })))).toEqual({
      reason: 'integration_taken',
    })
    expect(await readCustomer(db, scope, second.id)).toEqual(second)
    await create({ ...scope, mode: 'test' }, { integrations: [entity] })
    await archive(scope, first.id)
    await committed(scope, update(second.id, { integrations: [entity] }))
    expect(await failureOf(restore(scope, first.id))).toEqual({ reason: 'integration_taken' })
    expect(await mappings(scope)).toEqual([`stripe cus_1 ${second.id}`])
  })

  it('is replaced with the list it is in, and only by a list that differs', async () => {
    const scope = await insertTenant()
    const { id } = await create(scope, {
      integrations: [
        { provider: 'stripe', id: '1' },
        { provider: 'stripe', id: '2' },
      ],
    })
    await committed(scope, update(id, { name: 'no word of integrations' }))
    expect(await mappings(scope)).toEqual([`stripe 1 ${id}`, `stripe 2 ${id}`])
    await committed(
      scope,
      update(id, {
        integrations: [
          { provider: 'stripe', id: '2' },
          { provider: 'paddle', id: '1' },
        ],
      }),
    )
    expect(await mappings(scope)).toEqual([`paddle 1 ${id}`, `stripe 2 ${id}`])
    await archive(scope, id)
    expect(await mappings(scope)).toEqual([])
    await restore(scope, id)
    expect(await mappings(scope)).toEqual([`paddle 1 ${id}`, `stripe 2 ${id}`])
    await committed(scope, update(id, { integrations: [] }))
    expect(await mappings(scope)).toEqual([])
  })
})

it('keeps the counts equal to the customers through any changes', async () => {
  const step = fc.tuple(fc.constantFrom('create', 'draft', 'publish', 'archive', 'restore'), fc.nat(4))
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const scope = await insertTenant()
      const ids = [(await create(scope)).id]
      for (const [kind, at] of steps) {
        const id = ids[at % ids.length] as string
        if (kind === 'create') ids.push((await create(scope, { status: at % 2 ? 'draft' : 'published' })).id)
        else if (kind === 'archive') await archive(scope, id)
        else if (kind === 'restore') await restore(scope, id)
        else await commit(scope, update(id, { status: kind === 'draft' ? 'draft' : 'published' }))
      }
      const expected = { published: 0, draft: 0, archived: 0 }
      for (const id of ids) expected[(await readCustomer(db, scope, id))?.status ?? 'archived']++
      const counted = await db.select().from(customerCounts).where(eq(customerCounts.tenantId, scope.tenantId))
      const counts = Object.fromEntries(counted.map(({ status, count }) => [status, count]))
      expect({ published: 0, draft: 0, archived: 0, ...counts }).toEqual(expected)
    }),
    { numRuns: 30 },
  )
})
