/**
 * Pages of the API. Pure.
 */

/** Pages that are read on their own. Of the audit they are 100,000 entries, within about a second. */
const PAGES_MAX = 20

interface Page {
  items: readonly unknown[]
  pagination: { next_cursor: string | null }
}

/**
 * Returns the first page from the cursor on that has items: of a long list the API looks at a part for each request, and a
 * rare filter may fit nothing in it. Returns an empty page if there is none, or none within reach.
 */
export async function pageWithItems<Each extends Page>(
  read: (cursor: string | null) => Promise<Each>,
  from: string | null,
): Promise<Each> {
  let page = await read(from)
  for (let pages = 1; pages < PAGES_MAX; pages++) {
    const { items, pagination } = page
    if (items.length > 0 || pagination.next_cursor === null) break
    page = await read(pagination.next_cursor)
  }
  return page
}

/** Reads pages until there are so many items or a few more, or no page with items is within reach. `cursor` is that of the rest. */
export async function itemsOfPages<Item>(
  read: (cursor: string | null) => Promise<Page & { items: readonly Item[] }>,
  atLeast: number,
): Promise<{ items: Item[]; cursor: string | null }> {
  const items: Item[] = []
  for (let from: string | null = null; ; ) {
    const page: Page & { items: readonly Item[] } = await pageWithItems(read, from)
    items.push(...page.items)
    from = page.pagination.next_cursor
    if (from === null || page.items.length === 0 || items.length >= atLeast) return { items, cursor: from }
  }
}
