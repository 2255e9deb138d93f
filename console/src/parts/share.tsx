/**
 * A part of a whole as a bar: storage, the year, a database.
 */
import { cn } from '@cloudflare/kumo/utils'
import { percent } from '../lib/format.ts'

const HIGH = 0.8

interface Props {
  label: string
  used: number
  of: number
  /** Returns an amount as text, such as `1.2 GB`. */
  show: (value: number) => string
  note?: string
}

export function Share({ label, used, of, show, note }: Props) {
  const share = of > 0 ? Math.min(1, used / of) : 0
  const tone = share >= 1 ? 'bg-kumo-danger' : share >= HIGH ? 'bg-kumo-warning' : 'bg-kumo-brand'
  return (
    <div>
      <div className="flex flex-wrap items-baseline justify-between gap-x-4">
        <span className="font-medium">{label}</span>
        <span className="text-kumo-subtle">
          {show(used)} of {show(of)}
        </span>
      </div>
      <meter aria-label={label} className="sr-only" min={0} max={of} value={Math.min(used, of)}>
        {percent(used, of)}
      </meter>
      <div aria-hidden className="mt-1.5 h-2 overflow-hidden rounded-full bg-kumo-fill">
        <div
          className={cn('h-full rounded-full', tone)}
          style={{ width: `${Math.max(share * 100, used > 0 ? 1 : 0)}%` }}
        />
      </div>
      <p className="mt-1 text-sm text-kumo-subtle">
        {percent(used, of)} used{note === undefined ? '' : `. ${note}`}
      </p>
    </div>
  )
}

/** Compact form for a cell of a list. */
export function SmallShare({ label, used, of }: { label: string; used: number; of: number }) {
  const share = of > 0 ? Math.min(1, used / of) : 0
  const tone = share >= 1 ? 'bg-kumo-danger' : share >= HIGH ? 'bg-kumo-warning' : 'bg-kumo-brand'
  return (
    <span className="inline-flex items-center gap-2" title={label}>
      <span className="inline-block h-1.5 w-16 overflow-hidden rounded-full bg-kumo-fill" aria-hidden>
        <span className={cn('block h-full', tone)} style={{ width: `${Math.max(share * 100, used > 0 ? 2 : 0)}%` }} />
      </span>
      {percent(used, of)}
      <span className="sr-only"> {label}</span>
    </span>
  )
}
