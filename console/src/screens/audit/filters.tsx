/**
 * The filters of the audit. They take effect when a field is left or Enter is pressed, so that half an id asks for nothing.
 */
import { Button } from '@cloudflare/kumo/components/button'
import { Input } from '@cloudflare/kumo/components/input'
import { FunnelIcon } from '@phosphor-icons/react'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { AUDIT_TYPES } from '../../lib/audit-types.ts'
import { Choice } from '../../parts/choice.tsx'

const NAMES = ['tenant_id', 'customer_id', 'actor', 'type', 'request_id', 'start_time', 'end_time'] as const

export type AuditFilter = { [Name in (typeof NAMES)[number]]?: string }

interface Props {
  filter: AuditFilter
  onChange: (filter: AuditFilter) => void
}

export function Filters({ filter, onChange }: Props) {
  const [texts, setTexts] = useState(filter)
  // On a phone, seven fields would stand before the first entry.
  const [isOpen, open] = useState(Object.keys(filter).length > 0)
  const apply = (next: AuditFilter) => {
    const trimmed = Object.fromEntries(
      Object.entries(next).flatMap(([name, value]) => (value?.trim() ? [[name, value.trim()]] : [])),
    )
    if (JSON.stringify(trimmed) !== JSON.stringify(filter)) onChange(trimmed)
  }
  const text = (name: keyof AuditFilter, label: string, placeholder: string) => (
    <Input
      label={label}
      placeholder={placeholder}
      autoComplete="off"
      spellCheck={false}
      value={texts[name] ?? ''}
      onChange={(event) => setTexts({ ...texts, [name]: event.target.value })}
      onBlur={() => apply(texts)}
    />
  )
  const time = (name: 'start_time' | 'end_time', label: string) => (
    <Input
      label={label}
      type="datetime-local"
      value={localOf(texts[name])}
      onChange={(event) =>
        setTexts({ ...texts, [name]: event.target.value && new Date(event.target.value).toISOString() })
      }
      onBlur={() => apply(texts)}
    />
  )
  return (
    <>
      <Button
        className="sm:hidden"
        icon={FunnelIcon}
        aria-expanded={isOpen}
        aria-controls="audit-filters"
        onClick={() => open(!isOpen)}
      >
        {isOpen ? 'Hide the filters' : 'Filters'}
      </Button>
      <form
        id="audit-filters"
        aria-label="Filters"
        className={`grid gap-3 sm:grid-cols-2 lg:grid-cols-4 ${isOpen ? 'max-sm:mt-3' : 'max-sm:hidden'}`}
        onSubmit={(event) => {
          event.preventDefault()
          apply(texts)
        }}
      >
        {text('actor', 'Who', 'op_…, key_…, admin')}
        <Choice
          label="What"
          value={texts.type ?? ''}
          options={[['', 'Any change'], ...AUDIT_TYPES.map((type) => [type, type] as const)]}
          onChange={(type) => {
            setTexts({ ...texts, type })
            apply({ ...texts, type })
          }}
        />
        {time('start_time', 'From')}
        {time('end_time', 'Before')}
        {text('tenant_id', 'Tenant', 'its id')}
        {text('customer_id', 'Customer', 'cust_…')}
        {text('request_id', 'Request', 'x-request-id')}
        <div className="flex items-end gap-3 pb-1">
          <button type="submit" className="sr-only">
            Apply the filters
          </button>
          {Object.keys(filter).length > 0 && (
            <Link to="/audit" className="py-1.5 underline">
              Clear the filters
            </Link>
          )}
        </div>
      </form>
    </>
  )
}

/** Returns a time as the field of the browser has it, in the reader's zone. */
function localOf(time: string | undefined): string {
  if (time === undefined || time === '' || Number.isNaN(Date.parse(time))) return ''
  const at = new Date(time)
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}
