/**
 * A list of rows: a table on wide screens, a card for each row on narrow ones. `j` and `k` move between the rows.
 */
import { Button } from '@cloudflare/kumo/components/button'
import { cn } from '@cloudflare/kumo/utils'
import type { ReactNode } from 'react'

export interface ListColumn<Row> {
  head: string
  cell: (row: Row) => ReactNode
  /** For numbers. */
  right?: boolean
  /** For the column that names the row: the title of its card. */
  isTitle?: boolean
  /** For what belongs to the row and has no name, such as its buttons. */
  hideHead?: boolean
}

interface Props<Row> {
  label: string
  rows: readonly Row[]
  rowKey: (row: Row) => string
  columns: readonly ListColumn<Row>[]
  /** Shown while newer rows are on their way. */
  isStale?: boolean
}

export function List<Row>({ label, rows, rowKey, columns, isStale = false }: Props<Row>) {
  return (
    <table aria-label={label} aria-busy={isStale} className={cn('block w-full md:table', isStale && 'opacity-60')}>
      <thead className="hidden md:table-header-group">
        <tr className="border-b border-kumo-hairline text-left text-sm text-kumo-subtle">
          {columns.map(({ head, right, hideHead }) => (
            <th
              key={head}
              scope="col"
              className={cn('px-4 py-2.5 font-medium whitespace-nowrap', right && 'text-right')}
            >
              <span className={hideHead ? 'sr-only' : ''}>{head}</span>
            </th>
          ))}
        </tr>
      </thead>
      <tbody className="block divide-y divide-kumo-hairline md:table-row-group">
        {rows.map((row) => (
          <tr
            key={rowKey(row)}
            className="relative block px-4 py-3 hover:bg-kumo-tint/60 focus-within:bg-kumo-tint md:table-row md:p-0"
          >
            {columns.map(({ head, cell, right, isTitle, hideHead }) => (
              <td
                key={head}
                className={cn(
                  'flex min-w-0 items-baseline justify-between gap-4 py-0.5 align-middle md:table-cell md:px-4 md:py-3',
                  right && 'md:text-right',
                  isTitle && 'mb-1 block md:mb-0',
                )}
              >
                {!isTitle && !hideHead && <span className="text-sm text-kumo-subtle md:hidden">{head}</span>}
                {isTitle ? cell(row) : <div className="min-w-0 max-md:text-right">{cell(row)}</div>}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** Makes a link of a row cover the whole row. Buttons beside it stand above it with `above`. */
export const coversRow = 'after:absolute after:inset-0 after:content-[""] font-medium hover:underline'
export const above = 'relative z-10'

/** Stands below a list that goes on. */
export function More({ query }: { query: MoreQuery }) {
  if (!query.hasNextPage) return null
  return (
    <div className="flex justify-center border-t border-kumo-hairline p-3">
      <Button loading={query.isFetchingNextPage} onClick={() => query.fetchNextPage()}>
        Show more
      </Button>
    </div>
  )
}

interface MoreQuery {
  hasNextPage: boolean
  isFetchingNextPage: boolean
  fetchNextPage: () => unknown
}
