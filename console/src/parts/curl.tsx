/**
 * The request of an action as curl, so that the console teaches the API.
 */
import { TerminalIcon } from '@phosphor-icons/react'
import { useId, useState } from 'react'
import { curlOf, type FileCall } from '../api/curl.ts'
import { useMe } from '../api/me.ts'
import { CopyButton } from './id.tsx'

/** Returns the text of the call as the caller would type it. */
export function useCurl(call: FileCall): string {
  const me = useMe()
  return curlOf(call, window.location.origin, me.kind === 'operator' ? 'OPERATOR_KEY' : 'KEY')
}

/** Shows the command behind a button, closed at first. */
export function Curl({ call, label = 'As curl' }: { call: FileCall; label?: string }) {
  const [isOpen, open] = useState(false)
  const id = useId()
  return (
    <div className="w-full min-w-0">
      <button
        type="button"
        className="inline-flex cursor-pointer items-center gap-1.5 rounded text-sm text-kumo-subtle hover:text-kumo-default"
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => open(!isOpen)}
      >
        <TerminalIcon size={16} aria-hidden />
        {label}
      </button>
      <div id={id}>{isOpen && <Command call={call} />}</div>
    </div>
  )
}

function Command({ call }: { call: FileCall }) {
  const command = useCurl(call)
  return (
    <div className="mt-2 flex items-start gap-2 rounded-md bg-kumo-recessed p-3">
      <pre className="min-w-0 flex-1 font-mono text-xs leading-5 wrap-anywhere whitespace-pre-wrap">{command}</pre>
      <CopyButton value={command} label="Copy the command" />
    </div>
  )
}
