/**
 * One operator: role, sign-in link, keys, removal.
 */
import { Button } from '@cloudflare/kumo/components/button'
import { Dialog } from '@cloudflare/kumo/components/dialog'
import { LinkIcon, TrashIcon } from '@phosphor-icons/react'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../../api/call.ts'
import type { Operator } from '../../api/routes.ts'
import { send } from '../../api/send.ts'
import { Choice } from '../../parts/choice.tsx'
import { Confirm } from '../../parts/confirm.tsx'
import { Curl } from '../../parts/curl.tsx'
import { FormDialog } from '../../parts/form-dialog.tsx'
import { GatedButton } from '../../parts/gate.tsx'
import { Id } from '../../parts/id.tsx'
import { Failure } from '../../parts/states.tsx'
import { Time } from '../../parts/time.tsx'
import { OperatorKeys } from './operator-keys.tsx'
import { OWNER, ROLE_OPTIONS } from './roles.ts'
import type { NewLink } from './sign-in-link.tsx'

interface Props {
  /** Null closes the dialog. */
  operator: Operator | null
  onClose: () => void
  onChanged: (text: string) => void
  onLink: (link: NewLink) => void
}

export function OnePerson(props: Props) {
  const { operator, onClose } = props
  return (
    <FormDialog size="xl" isOpen={operator !== null} onClose={onClose}>
      {operator && <Person {...props} operator={operator} />}
    </FormDialog>
  )
}

function Person({ operator, onClose, onChanged, onLink }: Props & { operator: Operator }) {
  const [role, setRole] = useState<string>(operator.role)
  const [isRemoving, remove] = useState(false)
  const param = { operator_id: operator.operator_id }
  const roleCall = call('PATCH', '/admin/operators/:operator_id', { param, body: { role } })
  const change = useMutation({
    mutationFn: () => send(roleCall),
    onSuccess: () => onChanged(`${operator.name} is ${role} now.`),
  })
  const linking = useMutation({
    mutationFn: () => send(call('POST', '/admin/operators/:operator_id/sign_in_links', { param })),
    onSuccess: (link) => {
      onClose()
      onLink({ ...link, name: operator.name })
    },
  })
  return (
    <div className="space-y-6">
      <div>
        <Dialog.Title className="text-lg font-semibold break-words" dir="auto">
          {operator.name}
        </Dialog.Title>
        <Dialog.Description
          render={<div />}
          className="mt-1 flex flex-wrap items-center gap-x-4 gap-y-1 text-kumo-subtle"
        >
          <span className="break-all">{operator.email}</span>
          <Id value={operator.operator_id} />
          <span>
            last seen <Time at={operator.last_seen_at} />
          </span>
        </Dialog.Description>
      </div>
      <form
        className="space-y-3"
        onSubmit={(event) => {
          event.preventDefault()
          if (role !== operator.role && !change.isPending) change.mutate()
        }}
      >
        <div className="flex flex-wrap items-end gap-2">
          <Choice label="Role" value={role} options={ROLE_OPTIONS} onChange={setRole} className="min-w-60 flex-1" />
          <Button type="submit" variant="primary" loading={change.isPending} disabled={role === operator.role}>
            Change the role
          </Button>
        </div>
        {role !== operator.role && (
          <p className="text-kumo-subtle">It is in force at the next request, also of sessions that are open.</p>
        )}
        <Failure error={change.error} />
        <Curl call={roleCall} />
      </form>
      <OperatorKeys operator={operator} />
      <Failure error={linking.error} />
      <div className="flex flex-wrap justify-between gap-2">
        <div className="flex flex-wrap gap-2">
          <GatedButton needs={OWNER} icon={LinkIcon} loading={linking.isPending} onClick={() => linking.mutate()}>
            New sign-in link
          </GatedButton>
          <GatedButton needs={OWNER} variant="secondary-destructive" icon={TrashIcon} onClick={() => remove(true)}>
            Remove
          </GatedButton>
        </div>
        <Button className="ml-auto" onClick={onClose}>
          Close
        </Button>
      </div>
      <Confirm
        open={isRemoving}
        onClose={() => remove(false)}
        title={`Remove ${operator.name}`}
        consequences={['All their sessions and keys end at once.', 'The audit keeps what they did.']}
        typed={{ value: operator.name, label: 'Type the name' }}
        confirmLabel="Remove"
        destructive
        makeCall={() => call('DELETE', '/admin/operators/:operator_id', { param })}
        onDone={() => {
          onClose()
          onChanged(`${operator.name} is removed.`)
        }}
      />
    </div>
  )
}
