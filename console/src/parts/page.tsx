/**
 * The frame of a screen: title, actions, content.
 */
import { cn } from '@cloudflare/kumo/utils'
import { type ReactNode, useEffect } from 'react'

interface Props {
  title: string
  /** Beside the title: a badge, an id. */
  beside?: ReactNode
  /** Below the title: one line of facts. */
  below?: ReactNode
  actions?: ReactNode
  /** For a form or a text: as wide as lines are read well. */
  narrow?: boolean
  children: ReactNode
}

export function Page({ title, beside, below, actions, narrow, children }: Props) {
  useEffect(() => {
    document.title = `${title} · Roster`
  }, [title])
  return (
    <div className={cn('mx-auto w-full px-4 py-5 md:px-8 md:py-7', narrow ? 'max-w-3xl' : 'max-w-7xl')}>
      <header className="mb-5 flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
        <div className="min-w-0">
          <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
            <h1 className="min-w-0 text-xl font-semibold break-words text-kumo-default" dir="auto">
              {title}
            </h1>
            {beside}
          </div>
          {below && <div className="mt-1 text-kumo-subtle">{below}</div>}
        </div>
        {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </header>
      {children}
    </div>
  )
}

const CARD = 'overflow-hidden rounded-lg bg-kumo-base shadow-xs ring ring-kumo-line'

/** A part of a screen that needs no title: its one list. */
export function Card({ className, children }: { className?: string; children: ReactNode }) {
  return (
    <div data-card="" className={cn(CARD, className)}>
      {children}
    </div>
  )
}

/** A titled part of a screen. */
export function Section({
  title,
  actions,
  children,
  flush,
}: {
  title: string
  actions?: ReactNode
  children: ReactNode
  /** Without padding, for tables and lists. */
  flush?: boolean
}) {
  return (
    <section data-card="" className={CARD} aria-label={title}>
      <div className="flex min-h-12 flex-wrap items-center justify-between gap-2 border-b border-kumo-hairline px-4 py-2">
        <h2 className="font-semibold">{title}</h2>
        {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </div>
      <div className={flush ? '' : 'p-4'}>{children}</div>
    </section>
  )
}
