/** Which page of a list is shown. */
import { expect, it } from 'vitest'
import { itemsOfPages, pageWithItems } from '../../../console/src/lib/pages.ts'

/** Returns a list of pages, read by their number, and how many were read. */
function pages(...sizes: number[]) {
  const read: (string | null)[] = []
  const page = async (cursor: string | null) => {
    read.push(cursor)
    const at = Number(cursor ?? 0)
    const next_cursor = at + 1 < sizes.length ? `${at + 1}` : null
    return { items: Array.from({ length: sizes[at] ?? 0 }), pagination: { next_cursor } }
  }
  return { read, page }
}

it('reads on past pages in which nothing fits, and no further', async () => {
  const { read, page } = pages(0, 0, 3, 5)
  expect(await pageWithItems(page, null)).toMatchObject({ items: { length: 3 }, pagination: { next_cursor: '3' } })
  expect(read).toEqual([null, '1', '2'])
})

it('returns the last page, if no page has an item', async () => {
  const { page } = pages(0, 0)
  expect(await pageWithItems(page, null)).toEqual({ items: [], pagination: { next_cursor: null } })
})

it('gives up after some pages, and can go on from there', async () => {
  const { read, page } = pages(...Array<number>(50).fill(0), 1)
  const { items, pagination } = await pageWithItems(page, null)
  expect(items).toEqual([])
  expect(pagination.next_cursor).toBe(String(read.length))
})

it('reads all items up to a number of them, and says where more are', async () => {
  expect(await itemsOfPages(pages(2, 0, 3).page, 9)).toMatchObject({ items: { length: 5 }, cursor: null })
  expect(await itemsOfPages(pages(2, 2, 2).page, 3)).toMatchObject({ items: { length: 4 }, cursor: '2' })
})

it('does not read to the end of a long list in which nothing fits', async () => {
  const { read, page } = pages(3, ...Array<number>(500).fill(0))
  const { items, cursor } = await itemsOfPages(page, 9)
  expect([items.length, cursor]).toEqual([3, String(read.length)])
  expect(read.length).toBeLessThan(100)
})
