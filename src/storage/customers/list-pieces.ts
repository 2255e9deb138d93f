/**
 * Reads a long page in pieces, each a short statement in a turn of its own, so that D1 and the isolate do other work in
 * between. The result is what smaller pages one after the other would be: a customer whose place in the order changes
 * meanwhile may be in two pieces or in none, as it may on two pages. One whose place stays is there once.
 */
import type { SQL } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import type { InTurn } from '../../gate/isolate/turns.ts'
import type { Scope } from '../../registry/customer.ts'
import type { Position } from '../../registry/query.ts'
import type { Database } from '../database.ts'
import { type PageBounds, type PageRow, pageOf, pageStatements } from './list-pages.ts'
import type { ListPlan, Way } from './list-query.ts'

export interface Pieces<Item> {
  page: PageBounds
  /** The bounds of each piece. */
  piece: PageBounds
  /** The columns that are selected besides those of a customer. */
  columns?: readonly SQL[]
  /** Statements of the first piece besides its own: they see the same moment. */
  besides: readonly BatchItem<'sqlite'>[]
  itemOf(row: PageRow): Item
  inTurn: InTurn
}

export interface PageInPieces<Item> {
  items: Item[]
  positions: Position[]
  next: Position | null
  /** The results of `besides`. */
  others: unknown[][]
}

/**
 * Returns the page, null if the way does not suit. All pieces together look at no more customers than the way allows, and
 * at those that an offset skips. Only a walk is read in pieces: a set is sorted as a whole. A page backwards is short, so
 * only what it looks at divides it.
 */
export async function readInPieces<Item>(
  db: Database,
  scope: Scope,
  plan: ListPlan,
  way: Way,
  { page, piece, columns, besides, itemOf, inTurn }: Pieces<Item>,
): Promise<PageInPieces<Item> | null> {
  const isDivided = way.kind === 'walk' && !plan.backwards && page.customersMax > piece.customersMax
  // As many as it takes if each is full: of customers or, for large ones, of bytes.
  const fullPieces = isDivided
    ? Math.ceil(page.customersMax / piece.customersMax) + Math.ceil(page.bytesMax / piece.bytesMax) - 1
    : 1
  const piecesMax = Math.max(fullPieces, way.kind === 'walk' ? Math.ceil(way.lookedAtMax / way.pieceLookedAtMax) : 1)
  const share = { ...way, lookedAtMax: Math.ceil(way.lookedAtMax / piecesMax) }
  const found: PageInPieces<Item> = { items: [], positions: [], next: null, others: [] }
  let part = plan
  let bytes = 0
  for (let count = 1; ; count++) {
    const isFirst = count === 1
    const wanted = page.customersMax - found.items.length
    const bounds = {
      customersMax: isDivided ? Math.min(wanted, piece.customersMax) : wanted,
      bytesMax: Math.min(page.bytesMax - bytes, isDivided ? piece.bytesMax : page.bytesMax),
    }
    // The customers that an offset skips are looked at in one statement.
    const partWay = isFirst && plan.offset > 0 ? way : share
    const read = await inTurn(async () => {
      const statements = pageStatements(db, scope, part, partWay, bounds, columns)
      const results = (await db.batch([...statements, ...(isFirst ? besides : [])] as unknown as [
        BatchItem<'sqlite'>,
      ])) as unknown[][]
      if (isFirst) found.others = results.slice(statements.length)
      const rows = pageOf(part, partWay, results.slice(0, statements.length) as PageRow[][], bounds)
      return rows && { ...rows, items: rows.rows.map(itemOf) }
    })
    if (!read) return null
    found.items.push(...read.items)
    found.positions.push(...read.positions)
    found.next = read.next
    bytes += read.rows.reduce((sum, row) => sum + row.bytes, 0)
    const isFull = found.items.length === page.customersMax || bytes >= page.bytesMax
    if (read.next === null || isFull || count === piecesMax) return found
    part = { ...plan, offset: 0, position: read.next }
  }
}
