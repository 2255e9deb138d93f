/**
 * A choice of a closed list, as the browser's own menu: it works with every keyboard, screen reader and phone.
 */
import { cn } from '@cloudflare/kumo/utils'
import { CaretDownIcon } from '@phosphor-icons/react'
import { useId } from 'react'

interface Props {
  label: string
  /** The label is only for screen readers, where the place says what is chosen. */
  hideLabel?: boolean
  value: string
  options: readonly (readonly [value: string, label: string])[]
  onChange: (value: string) => void
  error?: string | undefined
  disabled?: boolean
  className?: string
}

export function Choice({ label, hideLabel, value, options, onChange, error, disabled, className }: Props) {
  const id = useId()
  return (
    <div className={cn('min-w-0', className)}>
      <label htmlFor={id} className={hideLabel ? 'sr-only' : 'mb-2 block text-base font-medium select-none'}>
        {label}
      </label>
      <span className="relative block">
        <select
          id={id}
          value={value}
          disabled={disabled}
          aria-invalid={error !== undefined}
          aria-describedby={error === undefined ? undefined : `${id}-error`}
          onChange={(event) => onChange(event.target.value)}
          className={cn(
            'h-9 w-full min-w-0 cursor-pointer appearance-none truncate rounded-lg bg-kumo-base pr-8 pl-3 ring',
            'text-kumo-default hover:bg-kumo-tint disabled:cursor-not-allowed disabled:opacity-60',
            error === undefined ? 'ring-kumo-line' : 'ring-kumo-danger',
          )}
        >
          {options.map(([option, text]) => (
            <option key={option} value={option}>
              {text}
            </option>
          ))}
        </select>
        <CaretDownIcon
          size={14}
          className="pointer-events-none absolute top-1/2 right-3 -translate-y-1/2 text-kumo-subtle"
          aria-hidden
        />
      </span>
      {error !== undefined && (
        <p id={`${id}-error`} className="mt-1 text-sm text-kumo-danger">
          {error}
        </p>
      )}
    </div>
  )
}
