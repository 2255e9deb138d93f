/**
 * Says that a change was made and since when it is in force. It stays until it is closed, and is read out.
 */
import { Button } from '@cloudflare/kumo/components/button'
import { CheckCircleIcon, XIcon } from '@phosphor-icons/react'
import { type ReactNode, useState } from 'react'
import { clockTime } from '../lib/format.ts'

export interface Notice {
  text: string
  /** When the answer arrived: the change was in force then. */
  at: string
}

/** Returns the notice that is shown, and `notify`, which shows another one. */
export function useNotice(): { notice: ReactNode; notify: (text: string) => void } {
  const [shown, show] = useState<Notice | null>(null)
  const notice = (
    <div role="status" aria-live="polite">
      {shown && (
        <div className="mb-4 flex items-center gap-3 rounded-lg bg-kumo-success-tint px-4 py-2.5 ring ring-kumo-success/30">
          <CheckCircleIcon size={20} weight="fill" className="shrink-0 text-kumo-success" aria-hidden />
          <p className="min-w-0 flex-1">
            {shown.text} In force at <time dateTime={shown.at}>{clockTime(shown.at)}</time>.
          </p>
          <Button shape="square" size="sm" variant="ghost" aria-label="Close" icon={XIcon} onClick={() => show(null)} />
        </div>
      )}
    </div>
  )
  return { notice, notify: (text) => show({ text, at: new Date().toISOString() }) }
}
