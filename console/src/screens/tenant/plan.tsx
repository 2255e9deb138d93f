/**
 * Tier, limits, contract and names of a tenant. A change of the tier shows each limit as it is and as it will be.
 */
import { Button } from '@cloudflare/kumo/components/button'
import { Dialog } from '@cloudflare/kumo/components/dialog'
import { Input } from '@cloudflare/kumo/components/input'
import { ArrowDownIcon, ArrowRightIcon, ArrowUpIcon, PencilSimpleIcon } from '@phosphor-icons/react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { call } from '../../api/call.ts'
import { send } from '../../api/send.ts'
import { date } from '../../lib/format.ts'
import { LIMITS, type LimitChange, limitChanges, type ShownLimits, type Tier, typedLimits } from '../../lib/tiers.ts'
import { Curl } from '../../parts/curl.tsx'
import { errorProps, fieldError } from '../../parts/field-error.ts'
import { FormDialog } from '../../parts/form-dialog.tsx'
import { GatedButton } from '../../parts/gate.tsx'
import { Section } from '../../parts/page.tsx'
import { ReasonField } from '../../parts/reason.tsx'
import { Failure } from '../../parts/states.tsx'
import { EDIT } from '../../shell/keyboard.tsx'
import { TierChoice, type TierInput } from '../tenants/tier-choice.tsx'
import { Database } from './database.tsx'

export interface PlanTenant {
  customer_id: string
  company_name: string
  contact_email: string
  tier: string
  status: string
  limits: ShownLimits
  contract_start: string | null
  contract_end: string | null
  event_retention_days: number
  database: number
  etag: string | null
}

interface Props {
  tenant: PlanTenant
  notify: (text: string) => void
}

export function Plan({ tenant, notify }: Props) {
  const [editing, edit] = useState<'tier' | 'details' | null>(null)
  return (
    <div className="grid gap-5 lg:grid-cols-2">
      <Section
        title={`Tier ${tenant.tier}`}
        actions={
          <GatedButton needs={{ role: 'admin' }} size="sm" icon={PencilSimpleIcon} onClick={() => edit('tier')}>
            Change tier
          </GatedButton>
        }
      >
        <dl className="space-y-2.5">
          {LIMITS.map(({ name, label, show }) => (
            <Line key={name} label={label}>
              {show(tenant.limits[name])}
            </Line>
          ))}
          <Line label="Test mode">10 a second, 50 MB, no annual limit</Line>
        </dl>
      </Section>
      <Section
        title="Company and contract"
        actions={
          <GatedButton
            {...EDIT}
            needs={{ role: 'admin' }}
            size="sm"
            icon={PencilSimpleIcon}
            onClick={() => edit('details')}
          >
            Edit
          </GatedButton>
        }
      >
        <dl className="space-y-2.5">
          <Line label="Company">
            <span dir="auto">{tenant.company_name}</span>
          </Line>
          <Line label="Contact address">{tenant.contact_email}</Line>
          <Line label="Contract begins">
            {tenant.contract_start ? date(tenant.contract_start, 'UTC') : 'when it was made'}
          </Line>
          <Line label="Contract ends">{tenant.contract_end ? date(tenant.contract_end, 'UTC') : 'open'}</Line>
          <Line label="Changes are kept for">{tenant.event_retention_days} days</Line>
        </dl>
      </Section>
      <Database tenant={tenant} notify={notify} />
      <FormDialog size="xl" isOpen={editing === 'tier'} onClose={() => edit(null)}>
        <TierForm tenant={tenant} onClose={() => edit(null)} notify={notify} />
      </FormDialog>
      <FormDialog size="xl" isOpen={editing === 'details'} onClose={() => edit(null)}>
        <DetailsForm tenant={tenant} onClose={() => edit(null)} notify={notify} />
      </FormDialog>
    </div>
  )
}

/** A value at the end of its line, below its label where both have no room. */
function Line({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="flex flex-wrap justify-between gap-x-6">
      <dt className="text-kumo-subtle">{label}</dt>
      <dd className="ml-auto min-w-0 text-right wrap-anywhere">{children}</dd>
    </div>
  )
}

/** Sends a change of the tenant and tells the page. */
function useChange(
  tenant: PlanTenant,
  done: string,
  { onClose, notify }: { onClose: () => void } & Pick<Props, 'notify'>,
) {
  const queries = useQueryClient()
  const makeCall = (body: object, reason: string) =>
    call('PUT', '/admin/customers/:customer_id', {
      param: { customer_id: tenant.customer_id },
      body,
      reason: reason.trim(),
      ...(tenant.etag && { ifMatch: tenant.etag }),
    })
  const mutation = useMutation({
    mutationFn: ({ body, reason }: { body: object; reason: string }) => send(makeCall(body, reason)),
    onSuccess: () => {
      onClose()
      notify(done)
      queries.invalidateQueries({ queryKey: ['tenant', tenant.customer_id] })
      queries.invalidateQueries({ queryKey: ['tenants'] })
    },
  })
  return { makeCall, mutation }
}

type FormProps = { tenant: PlanTenant; onClose: () => void } & Pick<Props, 'notify'>

function TierForm({ tenant, onClose, notify }: FormProps) {
  const [input, setInput] = useState<TierInput>({ tier: tenant.tier as Tier, limits: {} })
  const [reason, setReason] = useState('')
  const limits = typedLimits(input.limits)
  const invalid = 'invalid' in limits ? limits.invalid : null
  const given = input.tier === 'custom' && !('invalid' in limits) ? limits : {}
  const changes = limitChanges(tenant.limits, input.tier, given)
  const { makeCall, mutation } = useChange(tenant, `The tier is ${input.tier}.`, { onClose, notify })
  const body = { tier: input.tier, ...(Object.keys(given).length > 0 && { limits: given }) }
  const isSame = input.tier === tenant.tier && changes.every(({ direction }) => direction === 'same')
  const errorOf = (field: string) => {
    if (invalid !== null && input.tier === 'custom' && field === `limits.${invalid}`)
      return 'is no whole number: write digits'
    return fieldError(mutation.error, field)
  }
  return (
    <form
      className="space-y-5"
      onSubmit={(event) => {
        event.preventDefault()
        if (!isSame && reason.trim() !== '' && invalid === null) mutation.mutate({ body, reason })
      }}
    >
      <Dialog.Title className="text-lg font-semibold">Change the tier of {tenant.company_name}</Dialog.Title>
      <TierChoice emptyMeans="as it is" value={input} onChange={setInput} errorOf={errorOf} />
      <Comparison changes={changes} />
      <ReasonField value={reason} onChange={setReason} required />
      <Failure error={mutation.error} shownFields={['limits']} />
      <Curl call={makeCall(body, reason)} />
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button
          type="submit"
          variant="primary"
          loading={mutation.isPending}
          disabled={isSame || reason.trim() === '' || invalid !== null}
        >
          Change the tier
        </Button>
      </div>
    </form>
  )
}

const ARROWS = {
  up: <ArrowUpIcon size={14} className="text-kumo-success" aria-label="more" />,
  down: <ArrowDownIcon size={14} className="text-kumo-danger" aria-label="less" />,
  same: <ArrowRightIcon size={14} className="text-kumo-subtle" aria-label="the same" />,
}

/** Says for each limit what is in force now and what will be. */
function Comparison({ changes }: { changes: readonly LimitChange[] }) {
  return (
    <section aria-label="What will be in force" className="rounded-lg bg-kumo-recessed p-4">
      <h3 className="mb-2 text-sm font-medium">In force when it is answered</h3>
      <dl className="space-y-1.5">
        {changes.map(({ name, label, now, next, direction }) => (
          <div key={name} className="flex flex-wrap items-baseline justify-between gap-x-4">
            <dt className="text-kumo-subtle">{label}</dt>
            <dd className="ml-auto flex items-center gap-2" data-limit={name}>
              <span className={direction === 'same' ? '' : 'text-kumo-subtle'}>{now}</span>
              {direction !== 'same' && (
                <>
                  {ARROWS[direction]}
                  <strong className="font-semibold">{next}</strong>
                </>
              )}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  )
}

function DetailsForm({ tenant, onClose, notify }: FormProps) {
  const first = {
    company_name: tenant.company_name,
    contact_email: tenant.contact_email,
    contract_start: tenant.contract_start?.slice(0, 10) ?? '',
    contract_end: tenant.contract_end?.slice(0, 10) ?? '',
    event_retention_days: String(tenant.event_retention_days),
  }
  const [values, setValues] = useState(first)
  const [reason, setReason] = useState('')
  const { makeCall, mutation } = useChange(tenant, 'The details are changed.', { onClose, notify })
  const names = Object.keys(first) as (keyof typeof first)[]
  const body = Object.fromEntries(
    names.filter((name) => values[name] !== first[name]).map((name) => [name, wireValue(name, values[name])]),
  )
  const isSame = Object.keys(body).length === 0
  const field = (name: keyof typeof first, label: string, type: string) => {
    return (
      <Input
        label={label}
        type={type}
        autoComplete="off"
        value={values[name]}
        {...errorProps(fieldError(mutation.error, name))}
        onChange={(event) => setValues({ ...values, [name]: event.target.value })}
      />
    )
  }
  return (
    <form
      className="space-y-5"
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        if (!isSame && reason.trim() !== '') mutation.mutate({ body, reason })
      }}
    >
      <Dialog.Title className="text-lg font-semibold">Edit {tenant.company_name}</Dialog.Title>
      <div className="grid gap-4 sm:grid-cols-2">
        {field('company_name', 'Company name', 'text')}
        {field('contact_email', 'Contact address', 'email')}
        {field('contract_start', 'Contract begins', 'date')}
        {field('contract_end', 'Contract ends', 'date')}
        {field('event_retention_days', 'Days for which changes are kept', 'number')}
      </div>
      <ReasonField value={reason} onChange={setReason} required />
      <Failure error={mutation.error} shownFields={names} />
      <Curl call={makeCall(body, reason)} />
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" variant="primary" loading={mutation.isPending} disabled={isSame || reason.trim() === ''}>
          Save
        </Button>
      </div>
    </form>
  )
}

function wireValue(name: string, value: string): string | number | null {
  if (name === 'event_retention_days') return Number(value)
  if (value === '') return name.startsWith('contract_') ? null : ''
  return name.startsWith('contract_') ? `${value}T00:00:00Z` : value
}
