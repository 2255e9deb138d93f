/** The pages of the lists of the admin API. */
import type { PageCursor } from '../../http/cursor.ts'
import type { Page } from '../../tenants/ports.ts'

/** Returns a page in the form of this API. `cursor` is the place of the request in the list. */
export async function toAdminPage<Item extends { id: string }, Shown>(
  { items, hasMore }: Page<Item>,
  limit: number,
  cursor: PageCursor,
  show: (item: Item) => Shown,
  position = items.at(-1)?.id ?? null,
) {
  const next = await cursor.next(hasMore ? position : null)
  return { items: items.map(show), pagination: { limit, next_cursor: next, has_more: hasMore } }
}
