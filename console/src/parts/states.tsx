/**
 * The states of a screen that has nothing to show: still loading, nothing there, not allowed, failed.
 */
import { Button } from '@cloudflare/kumo/components/button'
import { Empty } from '@cloudflare/kumo/components/empty'
import { CloudSlashIcon, LinkBreakIcon, LockIcon, TimerIcon, WarningIcon } from '@phosphor-icons/react'
import { useQueryClient } from '@tanstack/react-query'
import { type ErrorComponentProps, Link } from '@tanstack/react-router'
import { type ReactNode, useEffect, useState } from 'react'
import { ApiError } from '../api/send.ts'
import { Page } from './page.tsx'
import { TEXT_LINK } from './text-link.ts'

/** Data that is there in this time appears without a flicker. */
const SHOW_LOADING_AFTER_MS = 200

/** In a card, which has a frame already, it has none. */
const FRAME =
  'bg-kumo-base [&_h2]:text-center [&_h2]:wrap-anywhere in-[[data-card]]:rounded-none in-[[data-card]]:border-0'

export function EmptyState(props: { icon?: ReactNode; title: string; description?: string; contents?: ReactNode }) {
  return <Empty {...props} className={FRAME} />
}

/** Grey lines in the place of what is loading, after a moment. */
export function Loading({ lines = 4, label = 'Loading' }: { lines?: number; label?: string }) {
  const [isShown, show] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => show(true), SHOW_LOADING_AFTER_MS)
    return () => clearTimeout(timer)
  }, [])
  if (!isShown) return <div className="min-h-24" aria-hidden="true" />
  return (
    <div role="status" aria-label={label} className="space-y-3 p-4">
      {Array.from({ length: lines }, (_, at) => at).map((at) => (
        <div
          key={at}
          className="h-4 animate-pulse rounded bg-kumo-fill"
          style={{ width: `${90 - ((at * 23) % 45)}%` }}
        />
      ))}
    </div>
  )
}

/** Shows why something could not be had, in the API's own words, and what to do. */
export function ErrorState({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { icon, title } = kindOf(error)
  const isLimited = error instanceof ApiError && error.status === 429 && error.retryAfterSeconds !== null
  const message = error instanceof Error ? error.message : String(error)
  const description = isLimited ? `Try again in ${error.retryAfterSeconds} s.` : message
  return (
    <div role="alert">
      <EmptyState
        icon={icon}
        title={title}
        description={description}
        contents={
          <div className="flex flex-col items-center gap-3">
            {onRetry && <Button onClick={onRetry}>Try again</Button>}
            <RequestId error={error} />
          </div>
        }
      />
    </div>
  )
}

/** The id that an operator finds the request by, in the log. */
function RequestId({ error }: { error: unknown }) {
  if (!(error instanceof ApiError) || error.requestId === null) return null
  return <span className="font-mono text-xs text-kumo-subtle">Request {error.requestId}</span>
}

function kindOf(error: unknown): { icon: ReactNode; title: string } {
  const status = error instanceof ApiError ? error.status : -1
  if (status === 0) return { icon: <CloudSlashIcon size={40} aria-hidden />, title: 'No answer' }
  if (status === 403) return { icon: <LockIcon size={40} aria-hidden />, title: 'Not allowed' }
  if (status === 404) return { icon: <LinkBreakIcon size={40} aria-hidden />, title: 'Not found' }
  if (status === 429) return { icon: <TimerIcon size={40} aria-hidden />, title: 'Too many requests' }
  if (status > 0 && status < 500) return { icon: <WarningIcon size={40} aria-hidden />, title: 'Refused' }
  return { icon: <WarningIcon size={40} aria-hidden />, title: 'Something went wrong' }
}

/** Shows a failed action beside its button: the message, and the fix of what is about no field that is shown. */
export function Failure({ error, shownFields = [] }: { error: unknown; shownFields?: readonly string[] }) {
  if (!error) return null
  const isApi = error instanceof ApiError
  const others = isApi ? error.fields.filter(({ field }) => !shownFields.includes(field.split('.')[0] ?? field)) : []
  return (
    <div role="alert" className="rounded-md bg-kumo-danger-tint p-3 text-kumo-danger ring ring-kumo-danger/20">
      <p>{error instanceof Error ? error.message : String(error)}</p>
      {others.map(({ field, fix }) => (
        <p key={field} className="mt-1">
          {field === '' ? '' : <code className="font-mono">{field}</code>} {fix}
        </p>
      ))}
      {isApi && error.retryAfterSeconds !== null && <p className="mt-1">Try again in {error.retryAfterSeconds} s.</p>}
    </div>
  )
}

export function NotFound() {
  return (
    <Page title="Not found">
      <EmptyState
        icon={<LinkBreakIcon size={40} aria-hidden />}
        title="No such page"
        description="The address leads nowhere in this console."
        contents={
          <Link to="/" className={TEXT_LINK}>
            Find a customer
          </Link>
        }
      />
    </Page>
  )
}

/** Shows what broke a screen. The rest of the console still works. */
export function RouteError({ error, reset }: ErrorComponentProps) {
  const queries = useQueryClient()
  return (
    <Page title="Something went wrong">
      <ErrorState
        error={error}
        onRetry={() => {
          queries.removeQueries({ predicate: ({ state }) => state.status === 'error' })
          reset()
        }}
      />
    </Page>
  )
}
