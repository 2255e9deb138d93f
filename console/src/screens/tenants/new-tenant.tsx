/**
 * Makes a tenant. Its first key is made on its page.
 */
import { Button } from '@cloudflare/kumo/components/button'
import { Input } from '@cloudflare/kumo/components/input'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { call } from '../../api/call.ts'
import { send } from '../../api/send.ts'
import { LIMITS, typedLimits } from '../../lib/tiers.ts'
import { useAttempt } from '../../parts/attempt.ts'
import { Curl } from '../../parts/curl.tsx'
import { errorProps, fieldError } from '../../parts/field-error.ts'
import { GatedButton } from '../../parts/gate.tsx'
import { OperatorsOnly } from '../../parts/operators-only.tsx'
import { Page, Section } from '../../parts/page.tsx'
import { Failure } from '../../parts/states.tsx'
import { TierChoice, type TierInput } from './tier-choice.tsx'

const FIELDS = ['company_name', 'contact_email', 'contract_start', 'contract_end', 'limits']

export function NewTenant() {
  return (
    <OperatorsOnly title="New tenant">
      <NewTenantForm />
    </OperatorsOnly>
  )
}

function NewTenantForm() {
  const navigate = useNavigate()
  const queries = useQueryClient()
  const [company, setCompany] = useState('')
  const [address, setAddress] = useState('')
  const [start, setStart] = useState('')
  const [end, setEnd] = useState('')
  const [tier, setTier] = useState<TierInput>({ tier: 'starter', limits: {} })
  const limits = typedLimits(tier.limits)
  const invalid = tier.tier === 'custom' && 'invalid' in limits ? limits.invalid : null
  const body = {
    company_name: company,
    contact_email: address,
    tier: tier.tier,
    ...(tier.tier === 'custom' && !('invalid' in limits) && Object.keys(limits).length > 0 && { limits }),
    ...(start && { contract_start: `${start}T00:00:00Z` }),
    ...(end && { contract_end: `${end}T00:00:00Z` }),
  }
  const headers = useAttempt(body)
  const makeCall = () => call('POST', '/admin/customers', { body, headers })
  const creation = useMutation({
    mutationFn: () => send(makeCall()),
    onSuccess: ({ customer_id }) => {
      queries.invalidateQueries({ queryKey: ['tenants'] })
      navigate({ to: '/tenants/$tenantId', params: { tenantId: customer_id }, search: { tab: 'keys' } })
    },
  })
  const errorOf = (field: string) => {
    if (invalid !== null && field === `limits.${invalid}`) return 'is no whole number: write digits'
    return fieldError(creation.error, field)
  }
  return (
    <Page title="New tenant" narrow>
      <form
        className="space-y-5"
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          if (!creation.isPending && invalid === null) creation.mutate()
        }}
      >
        <Section title="Company">
          <div className="grid items-start gap-4 sm:grid-cols-2">
            <Input
              label="Company name"
              required
              autoFocus
              autoComplete="off"
              value={company}
              {...errorProps(errorOf('company_name'))}
              onChange={(event) => setCompany(event.target.value)}
            />
            <Input
              label="Contact address"
              type="email"
              required
              autoComplete="off"
              placeholder="billing@example.com"
              value={address}
              {...errorProps(errorOf('contact_email'))}
              onChange={(event) => setAddress(event.target.value)}
            />
          </div>
        </Section>
        <Section title="What it may use">
          <TierChoice emptyMeans="as in starter" value={tier} onChange={setTier} errorOf={errorOf} />
        </Section>
        <Section title="Contract">
          <div className="grid items-start gap-4 sm:grid-cols-2">
            <Input
              label="Begins (optional)"
              type="date"
              description="The contract year is counted from here. Without it, from today."
              value={start}
              {...errorProps(errorOf('contract_start'))}
              onChange={(event) => setStart(event.target.value)}
            />
            <Input
              label="Ends (optional)"
              type="date"
              description="It is shown, and stops nobody."
              value={end}
              {...errorProps(errorOf('contract_end'))}
              onChange={(event) => setEnd(event.target.value)}
            />
          </div>
        </Section>
        <Failure error={creation.error} shownFields={[...FIELDS, ...LIMITS.map(({ name }) => name)]} />
        <Curl call={makeCall()} />
        <div className="flex justify-end gap-2">
          <Button onClick={() => navigate({ to: '/tenants' })}>Cancel</Button>
          <GatedButton needs={{ role: 'admin' }} type="submit" variant="primary" loading={creation.isPending}>
            Create the tenant
          </GatedButton>
        </div>
      </form>
    </Page>
  )
}
