/**
 * The field for the reason of a change, which the audit keeps.
 */
import { Input } from '@cloudflare/kumo/components/input'

const LENGTH_MAX = 500

export function ReasonField({
  value,
  onChange,
  required,
  error,
}: {
  value: string
  onChange: (value: string) => void
  required: boolean
  error?: string | undefined
}) {
  return (
    <Input
      label={required ? 'Reason' : 'Reason (optional)'}
      description="Stays with the change: a ticket, who asked for it."
      placeholder="Ticket 4711: asked by phone"
      value={value}
      maxLength={LENGTH_MAX}
      autoComplete="off"
      {...(error !== undefined && { error, 'aria-invalid': true })}
      onChange={(event) => onChange(event.target.value)}
    />
  )
}
