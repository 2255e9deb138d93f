/**
 * Changes of fields, each with its value before and after.
 */
import { ArrowRightIcon } from '@phosphor-icons/react'
import type { ReactNode } from 'react'

export interface FieldChange {
  field: string
  before: unknown
  after: unknown
}

/** One row a field. Screen readers hear "City, before Köln, after Bonn". */
export function Diff({ changes, label = 'Changes' }: { changes: readonly FieldChange[]; label?: string }) {
  return (
    <ul aria-label={label} className="divide-y divide-kumo-hairline">
      {changes.map(({ field, before, after }) => (
        <li key={field} className="grid gap-x-3 gap-y-1 py-2 sm:grid-cols-[10rem_1fr]">
          <code className="font-mono text-[0.92em] break-all text-kumo-subtle">{field}</code>
          <span className="flex min-w-0 flex-wrap items-center gap-x-2 gap-y-1">
            <span className="sr-only">before</span>
            <Value value={before} tone="before" />
            <ArrowRightIcon size={14} className="shrink-0 text-kumo-subtle" aria-hidden />
            <span className="sr-only">after</span>
            <Value value={after} tone="after" />
          </span>
        </li>
      ))}
    </ul>
  )
}

function Value({ value, tone }: { value: unknown; tone: 'before' | 'after' }): ReactNode {
  const isEmpty = value === null || value === undefined || value === ''
  if (isEmpty) return <span className="text-kumo-subtle italic">empty</span>
  const colours =
    tone === 'before' ? 'bg-kumo-danger-tint line-through decoration-kumo-danger/60' : 'bg-kumo-success-tint'
  return (
    <span dir="auto" className={`min-w-0 rounded px-1.5 py-0.5 break-words whitespace-pre-wrap ${colours}`}>
      {typeof value === 'string' ? value : JSON.stringify(value)}
    </span>
  )
}
