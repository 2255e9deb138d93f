/**
 * Counts side by side, large enough to be read at a glance.
 */
import { cn } from '@cloudflare/kumo/utils'
import { number } from '../lib/format.ts'

interface Tile {
  name: string
  label: string
  value: number
  /** For what should be nothing: it is red if it is not. */
  isBad?: boolean
}

export function Tiles({ tiles }: { tiles: readonly Tile[] }) {
  return (
    <dl className="grid grid-cols-[repeat(auto-fit,minmax(8rem,1fr))] gap-3">
      {tiles.map(({ name, label, value, isBad }) => (
        <div key={name} className="flex flex-col-reverse justify-end rounded-lg bg-kumo-recessed p-3">
          <dt className="text-sm text-kumo-subtle">{label}</dt>
          <dd className={cn('text-xl font-semibold', isBad && value > 0 && 'text-kumo-danger')} data-count={name}>
            {number(value)}
          </dd>
        </div>
      ))}
    </dl>
  )
}
