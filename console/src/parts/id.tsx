/**
 * An id: monospaced, shortened in the middle, whole on hover, and copied by a click.
 */
import { cn } from '@cloudflare/kumo/utils'
import { CheckIcon, CopyIcon } from '@phosphor-icons/react'
import { useEffect, useState } from 'react'
import { shortId } from '../lib/format.ts'

const SHOWN_FOR_MS = 1_500

export function Id({ value, whole, className }: { value: string; whole?: boolean; className?: string }) {
  return (
    <span className={cn('inline-flex max-w-full items-center gap-1 align-bottom', className)}>
      <code className="truncate font-mono text-[0.92em]" title={value} translate="no">
        {whole ? value : shortId(value)}
      </code>
      <CopyButton value={value} label={`Copy ${shortId(value)}`} />
    </span>
  )
}

/** A small button that copies the text and says so. */
export function CopyButton({ value, label }: { value: string; label: string }) {
  const [isCopied, setCopied] = useState(false)
  useEffect(() => {
    if (!isCopied) return
    const timer = setTimeout(() => setCopied(false), SHOWN_FOR_MS)
    return () => clearTimeout(timer)
  }, [isCopied])
  return (
    <button
      type="button"
      aria-label={isCopied ? 'Copied' : label}
      title={isCopied ? 'Copied' : 'Copy'}
      className="inline-flex size-6 shrink-0 cursor-pointer items-center justify-center rounded text-kumo-subtle hover:bg-kumo-tint hover:text-kumo-default"
      onClick={(event) => {
        event.stopPropagation()
        navigator.clipboard.writeText(value).then(() => setCopied(true))
      }}
    >
      {isCopied ? (
        <CheckIcon size={14} className="text-kumo-success" aria-hidden />
      ) : (
        <CopyIcon size={14} aria-hidden />
      )}
    </button>
  )
}
