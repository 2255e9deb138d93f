/**
 * The dialog that makes a key.
 */
import { Button } from '@cloudflare/kumo/components/button'
import { Dialog } from '@cloudflare/kumo/components/dialog'
import { Input } from '@cloudflare/kumo/components/input'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../../api/call.ts'
import { send } from '../../api/send.ts'
import { useAttempt } from '../../parts/attempt.ts'
import { Choice } from '../../parts/choice.tsx'
import { Curl } from '../../parts/curl.tsx'
import { errorProps, fieldError } from '../../parts/field-error.ts'
import { FormDialog } from '../../parts/form-dialog.tsx'
import { ReasonField } from '../../parts/reason.tsx'
import { Failure } from '../../parts/states.tsx'

interface Props {
  tenantId: string
  open: boolean
  onClose: () => void
  /** Gets the key in clear. */
  onMade: (text: string) => void
}

const SCOPES = [
  ['customers:read', 'Read customers'],
  ['customers:write', 'Create and change customers'],
  ['events:read', 'Read the event log'],
  ['webhooks:manage', 'Manage webhook endpoints'],
  ['onboarding:manage', 'Manage the onboarding'],
] as const

export function NewKey(props: Props) {
  return (
    <FormDialog isOpen={props.open} onClose={props.onClose}>
      <Form {...props} />
    </FormDialog>
  )
}

function Form({ tenantId, onClose, onMade }: Props) {
  const [name, setName] = useState('')
  const [mode, setMode] = useState('live')
  const [scopes, setScopes] = useState<string[]>(SCOPES.map(([scope]) => scope))
  const [expires, setExpires] = useState('')
  const [reason, setReason] = useState('')
  const body = {
    ...(name !== '' && { name }),
    mode,
    scopes,
    ...(expires !== '' && { expires_at: `${expires}T00:00:00Z` }),
  }
  const headers = useAttempt(body)
  const makeCall = () =>
    call('POST', '/admin/customers/:customer_id/keys', {
      param: { customer_id: tenantId },
      body,
      reason: reason.trim(),
      headers,
    })
  const creation = useMutation({
    mutationFn: () => send(makeCall()),
    onSuccess: ({ key }) => {
      onClose()
      onMade(key)
    },
  })
  const errorOf = (field: string) => errorProps(fieldError(creation.error, field))
  return (
    <form
      className="space-y-4"
      onSubmit={(event) => {
        event.preventDefault()
        if (scopes.length > 0 && !creation.isPending) creation.mutate()
      }}
    >
      <Dialog.Title className="text-lg font-semibold">New API key</Dialog.Title>
      <div className="grid gap-4 sm:grid-cols-2">
        <Input
          label="Name"
          placeholder="billing"
          description="Events and the audit show it as who made a change."
          autoComplete="off"
          value={name}
          {...errorOf('name')}
          onChange={(event) => setName(event.target.value)}
        />
        <Choice
          label="Mode"
          value={mode}
          options={[
            ['live', 'live: real customers'],
            ['test', 'test: to try things out'],
          ]}
          onChange={setMode}
        />
      </div>
      <fieldset>
        <legend className="mb-2 text-base font-medium">Scopes</legend>
        <div className="space-y-1.5">
          {SCOPES.map(([scope, label]) => (
            <label key={scope} className="flex cursor-pointer items-center gap-2">
              <input
                type="checkbox"
                className="size-4 accent-kumo-brand"
                checked={scopes.includes(scope)}
                onChange={() => setScopes(toggled(scopes, scope))}
              />
              {label} <code className="font-mono text-xs text-kumo-subtle">{scope}</code>
            </label>
          ))}
        </div>
        {scopes.length === 0 && <p className="mt-1 text-sm text-kumo-danger">Choose at least one.</p>}
      </fieldset>
      <Input
        label="Expires (optional)"
        type="date"
        value={expires}
        {...errorOf('expires_at')}
        onChange={(event) => setExpires(event.target.value)}
      />
      <ReasonField value={reason} onChange={setReason} required={false} />
      <Failure error={creation.error} shownFields={['name', 'scopes', 'expires_at']} />
      <Curl call={makeCall()} />
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" variant="primary" loading={creation.isPending} disabled={scopes.length === 0}>
          Make the key
        </Button>
      </div>
    </form>
  )
}

function toggled(scopes: readonly string[], scope: string): string[] {
  return scopes.includes(scope) ? scopes.filter((each) => each !== scope) : [...scopes, scope]
}
