/**
 * A band above everything that is about test data, with the way to the same place in live mode.
 */
import { FlaskIcon } from '@phosphor-icons/react'
import { useRouter, useRouterState } from '@tanstack/react-router'
import { useMe } from '../api/me.ts'
import { inMode } from '../lib/places.ts'
import { useHere } from './place.ts'

export function ModeBand() {
  const me = useMe()
  const { mode } = useHere()
  if (mode !== 'test') return null
  return (
    <div className="flex items-start gap-x-3 border-b border-kumo-warning/40 bg-kumo-warning-tint px-4 py-2 md:px-8">
      <FlaskIcon size={18} weight="fill" className="mt-0.5 shrink-0 text-kumo-warning" aria-hidden />
      <div className="flex min-w-0 flex-wrap gap-x-3 gap-y-1">
        <span>
          <strong>Test mode.</strong> These are test data; nothing here is a real customer.
        </span>
        {me.kind === 'operator' && <ModeSwitch />}
      </div>
    </div>
  )
}

/** Goes to the other mode and keeps the place: the same screen, or the search for what is open. */
export function ModeSwitch() {
  const router = useRouter()
  const { mode } = useHere()
  const href = useRouterState({ select: ({ location }) => location.href })
  const other = mode === 'test' ? 'live' : 'test'
  return (
    <button
      type="button"
      className="cursor-pointer rounded underline underline-offset-2 hover:no-underline"
      onClick={() => router.history.push(inMode(href, other))}
    >
      Switch to {other}
    </button>
  )
}
