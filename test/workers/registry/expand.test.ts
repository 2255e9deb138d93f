/** The related records shown along with the customers of a page, over a registry of plain data. */
import { describe, expect, it } from 'vitest'
import type { Customer } from '../../../src/registry/customer.ts'
import { expandCustomers } from '../../../src/registry/operations.ts'
import type { CustomerReader, Registry } from '../../../src/registry/ports.ts'

const CHILDREN_SHOWN_MAX = 100

function customer(id: string, parentId: string | null = null): Customer {
  return { id, parentId, externalId: id, status: 'published' } as Customer
}

/** `children` of each parent, newest first, as a list gives them; counts the reads. */
function registryOf(children: Record<string, number>) {
  const all = Object.entries(children).flatMap(([parentId, count]) =>
    Array.from({ length: count }, (_, at) => customer(`${parentId}-${String(count - at).padStart(6, '0')}`, parentId)),
  )
  const reads = { list: 0, aliases: 0 }
  const reader: Pick<CustomerReader, 'list' | 'aliasesOfEach'> = {
    async list({ filters, limit }) {
      reads.list++
      const [filter] = filters
      const wanted = new Set([filter && 'value' in filter ? filter.value : []].flat())
      const found = all
        .filter(({ parentId }) => parentId !== null && wanted.has(parentId))
        .sort((a, b) =>
          (a.parentId ?? '') < (b.parentId ?? '') ? -1 : (a.parentId ?? '') > (b.parentId ?? '') ? 1 : 0,
        )
      return { customers: found.slice(0, limit), hasMore: found.length > limit, total: null }
    },
    async aliasesOfEach(ids) {
      reads.aliases++
      return new Map(ids.filter((id) => id === 'b').map((id) => [id, ['old']]))
    },
  }
  return { registry: { reader } as Registry, reads, all }
}

describe('the customers of a page', () => {
  it.each<Record<string, number>>([
    { a: 0, b: 3, c: 1 },
    { a: 150, b: 2, c: 100 },
    { a: 1, b: 1_500, c: 2 },
    { a: 999, b: 2, c: 0 },
    { a: 1_000, b: 0, c: 3 },
    { a: 998, b: 3, c: 101 },
  ])('show the newest hundred children of each, however many others have: %j', async (children) => {
    const { registry, all } = registryOf(children)
    const page = Object.keys(children).map((id) => customer(id))
    const expanded = await expandCustomers(registry, page, new Set(['children']))
    for (const [at, { id }] of page.entries()) {
      const expected = all.filter(({ parentId }) => parentId === id).slice(0, CHILDREN_SHOWN_MAX)
      expect(expanded[at]?.children?.map((child) => child.id)).toEqual(expected.map((child) => child.id))
    }
  })

  it('are expanded with one read of each kind, and with none for an empty page', async () => {
    const { registry, reads } = registryOf({ a: 10, b: 20 })
    const wanted = new Set(['parent_customer', 'children', 'aliases', 'integrations'] as const)
    const [a, b] = await expandCustomers(registry, [customer('a'), customer('b')], wanted)
    expect(reads).toEqual({ list: 1, aliases: 1 })
    expect([a?.aliases, b?.aliases, a?.parent]).toEqual([[], ['old'], null])
    expect(await expandCustomers(registry, [], wanted)).toEqual([])
    expect(reads).toEqual({ list: 1, aliases: 1 })
    expect(await expandCustomers(registry, [customer('a')], new Set())).toEqual([{}])
    expect(reads).toEqual({ list: 1, aliases: 1 })
  })
})
