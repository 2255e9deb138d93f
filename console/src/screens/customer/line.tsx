/**
 * A sentence of the timeline that opens to its details.
 */
import { CaretRightIcon } from '@phosphor-icons/react'
import { type ComponentType, type ReactNode, useId, useState } from 'react'
import { Time } from '../../parts/time.tsx'
import { ROW } from '../../shell/keyboard.tsx'

export interface LineProps {
  icon: ComponentType<{ size: number; className: string; weight?: 'fill' }>
  tone?: 'danger' | 'success' | 'warning' | 'subtle'
  sentence: string
  at: string
  children: ReactNode
}

const TONES = {
  danger: 'text-kumo-danger',
  success: 'text-kumo-success',
  warning: 'text-kumo-warning',
  subtle: 'text-kumo-subtle',
}

export function Line({ icon: Icon, tone = 'subtle', sentence, at, children }: LineProps) {
  const [isOpen, open] = useState(false)
  const id = useId()
  return (
    <li>
      <button
        {...ROW}
        type="button"
        className="flex w-full cursor-pointer items-start gap-3 px-4 py-2.5 text-left hover:bg-kumo-tint focus-visible:-outline-offset-2"
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => open(!isOpen)}
      >
        <Icon size={18} weight="fill" className={`mt-0.5 shrink-0 ${TONES[tone]}`} aria-hidden />
        <span className="min-w-0 flex-1 wrap-anywhere" dir="auto">
          {sentence}
        </span>
        <span className="shrink-0 text-sm text-kumo-subtle">
          <Time at={at} />
        </span>
        <CaretRightIcon
          size={14}
          className={`mt-1 shrink-0 text-kumo-subtle transition-transform ${isOpen ? 'rotate-90' : ''}`}
          aria-hidden
        />
      </button>
      <div id={id} className={isOpen ? 'space-y-3 px-4 pt-1 pb-4 sm:pl-12' : undefined}>
        {isOpen && children}
      </div>
    </li>
  )
}
