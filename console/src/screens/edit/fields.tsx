/**
 * The fields of a customer. The API's own text stands beside the field that it refuses.
 */
import { Button } from '@cloudflare/kumo/components/button'
import { Input } from '@cloudflare/kumo/components/input'
import { PlusIcon, TrashIcon } from '@phosphor-icons/react'
import { useState } from 'react'
import type { CustomerPlace } from '../../api/customer.ts'
import { fieldLabel } from '../../lib/changes.ts'
import { EDITED_FIELDS, type EditedField, type Values } from '../../lib/edit.ts'
import { Section } from '../../parts/page.tsx'

export const FIELDS_SHOWN: readonly string[] = [...EDITED_FIELDS, 'metadata']

const HINTS: Partial<Record<EditedField, string>> = {
  external_id: 'The id in the tenant’s own system. The former one still finds the customer.',
  address_country: 'Two letters, such as DE.',
  timezone: 'A zone such as Europe/Berlin.',
  parent_customer_id: 'The id of the customer that this one belongs to; empty for none.',
}

const MODES: Partial<Record<EditedField, 'email' | 'tel'>> = { email: 'email', contact: 'tel' }

const WIDE: readonly EditedField[] = ['address_line1', 'address_line2', 'parent_customer_id']
/** The fields that are a line of text, with the parent at the end. */
const TEXTS = EDITED_FIELDS.filter((field) => field !== 'status' && field !== 'parent_customer_id')

interface Props {
  values: Values
  place: CustomerPlace
  errorOf: (field: string) => string | undefined
  onChange: (values: Values) => void
}

export function Fields({ values, errorOf, onChange }: Props) {
  const { fields } = values
  const text = (field: EditedField) => {
    const error = errorOf(field)
    return (
      <div key={field} className={WIDE.includes(field) ? 'sm:col-span-2' : ''}>
        <Input
          label={fieldLabel(field)}
          value={fields[field]}
          inputMode={MODES[field] ?? 'text'}
          autoComplete="off"
          spellCheck={false}
          dir="auto"
          {...(HINTS[field] !== undefined && { description: HINTS[field] })}
          {...(error !== undefined && { error, 'aria-invalid': true })}
          onChange={(event) => onChange({ ...values, fields: { ...fields, [field]: event.target.value } })}
        />
      </div>
    )
  }
  return (
    <>
      <Section title="Facts">
        <div className="grid gap-4 sm:grid-cols-2">
          {TEXTS.map(text)}
          <fieldset>
            <legend className="mb-2 font-medium">Status</legend>
            <div className="flex gap-4">
              {['published', 'draft'].map((status) => (
                <label key={status} className="flex cursor-pointer items-center gap-2">
                  <input
                    type="radio"
                    name="status"
                    value={status}
                    checked={fields.status === status}
                    onChange={() => onChange({ ...values, fields: { ...fields, status } })}
                  />
                  {status}
                </label>
              ))}
            </div>
          </fieldset>
          {text('parent_customer_id')}
        </div>
      </Section>
      <Metadata values={values} error={errorOf('metadata')} onChange={onChange} />
    </>
  )
}

function Metadata({
  values,
  error,
  onChange,
}: {
  values: Values
  error: string | undefined
  onChange: (values: Values) => void
}) {
  const [key, setKey] = useState('')
  const entries = Object.entries(values.metadata)
  const change = (next: [string, string][]) => onChange({ ...values, metadata: Object.fromEntries(next) })
  const isTaken = Object.hasOwn(values.metadata, key)
  const add = () => {
    if (key === '' || isTaken) return
    change([...entries, [key, '']])
    setKey('')
  }
  return (
    <Section title="Metadata">
      <div className="space-y-3">
        {entries.map(([name, value]) => (
          <div key={name} className="flex items-end gap-2">
            <div className="min-w-0 flex-1">
              <Input
                label={name}
                value={value}
                autoComplete="off"
                dir="auto"
                onChange={(event) =>
                  change(entries.map(([each, old]) => [each, each === name ? event.target.value : old]))
                }
              />
            </div>
            <Button
              type="button"
              shape="square"
              variant="ghost"
              aria-label={`Remove ${name}`}
              icon={TrashIcon}
              onClick={() => change(entries.filter(([each]) => each !== name))}
            />
          </div>
        ))}
        <div className="flex items-end gap-2">
          <div className="min-w-0 flex-1">
            <Input
              label="Another key"
              value={key}
              autoComplete="off"
              spellCheck={false}
              placeholder="plan_tier"
              onChange={(event) => setKey(event.target.value)}
              onKeyDown={(event) => {
                if (event.key !== 'Enter') return
                event.preventDefault()
                add()
              }}
            />
          </div>
          <Button type="button" icon={PlusIcon} disabled={key === '' || isTaken} onClick={add}>
            Add
          </Button>
        </div>
        {error !== undefined && (
          <p role="alert" className="text-kumo-danger">
            {error}
          </p>
        )}
      </div>
    </Section>
  )
}
