/** The related records shown along with the customers of a page, over a registry of plain data. */
import { describe, expect, it } from 'vitest'
import type { Customer } from '../../../src/registry/customer.ts'
import { expandPage } from '../../../src/registry/operations.ts'
import type { CustomerReader, Registry } from '../../../src/registry/ports.ts'
import type { ListPage, Relation } from '../../../src/registry/query.ts'

function customer(id: string, parentId: string | null = null): Customer {
  return { id, parentId, externalId: id, status: 'published' } as Customer
}

function pageOf(customers: Customer[]): ListPage {
  return { customers, positions: customers.map(({ id }) => [id]), next: ['end'], total: { count: 9, isCapped: false } }
}

/** A registry whose reads of related customers are complete for the first ids only, as given. */
function registryOf(complete: Partial<Record<Relation, number>>) {
  const reads: string[] = []
  const reader: Pick<CustomerReader, 'related' | 'aliasesOfEach'> = {
    async related(relation, ids) {
      reads.push(`${relation} ${ids}`)
      const of = ids.map((id): [string, Customer[]] => [id, [customer(relation === 'parents' ? id : `${id}-1`, id)]])
      return { of: new Map(of), complete: complete[relation] ?? ids.length }
    },
    async aliasesOfEach(ids) {
      reads.push(`aliases ${ids}`)
      return new Map(ids.filter((id) => id === 'b').map((id) => [id, ['old']]))
    },
  }
  return { registry: { reader } as Registry, reads }
}

const PAGE = pageOf([customer('a', 'p'), customer('b'), customer('c', 'q'), customer('d', 'p'), customer('e', 'r')])

describe('the customers of a page', () => {
  it('are expanded with one read of each kind, and with none for an empty page', async () => {
    const { registry, reads } = registryOf({})
    const wanted = new Set(['parent_customer', 'children', 'aliases', 'integrations'] as const)
    const { page, expanded } = await expandPage(registry, PAGE, wanted)
    expect(reads).toEqual(['parents p,q,r', 'children a,b,c,d,e', 'aliases a,b,c,d,e'])
    expect(page).toBe(PAGE)
    expect(expanded.map(({ parent }) => parent?.id ?? null)).toEqual(['p', null, 'q', 'p', 'r'])
    expect(expanded.map(({ children }) => children?.map(({ id }) => id))).toEqual(
      PAGE.customers.map(({ id }) => [`${id}-1`]),
    )
    expect(expanded.map(({ aliases }) => aliases)).toEqual([[], ['old'], [], [], []])
    reads.length = 0
    expect(await expandPage(registry, pageOf([]), wanted)).toMatchObject({ expanded: [] })
    expect((await expandPage(registry, pageOf([customer('a')]), new Set())).expanded).toEqual([{}])
    expect(reads).toEqual([])
  })

  it.each<[Partial<Record<Relation, number>>, string[]]>([
    [{ parents: 1 }, ['a', 'b']],
    [{ parents: 2 }, ['a', 'b', 'c', 'd']],
    [{ children: 1 }, ['a']],
    [{ children: 4 }, ['a', 'b', 'c', 'd']],
    [{ parents: 2, children: 3 }, ['a', 'b', 'c']],
  ])(
    'are fewer when the related ones are more than a page, and the next page goes on after them: %j',
    async (complete, ids) => {
      const { registry } = registryOf(complete)
      const wanted = new Set(['parent_customer', 'children'] as const)
      const { page, expanded } = await expandPage(registry, PAGE, wanted)
      expect(page.customers.map(({ id }) => id)).toEqual(ids)
      expect(page.next).toEqual([ids.at(-1)])
      expect(expanded).toHaveLength(ids.length)
    },
  )
})
