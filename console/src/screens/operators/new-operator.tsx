/**
 * The dialog that adds an operator, and makes the link that signs them in.
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
import { Failure } from '../../parts/states.tsx'
import { ROLE_OPTIONS } from './roles.ts'
import type { NewLink } from './sign-in-link.tsx'

interface Props {
  open: boolean
  onClose: () => void
  onMade: (link: NewLink) => void
}

export function NewOperator(props: Props) {
  return (
    <FormDialog isOpen={props.open} onClose={props.onClose}>
      <Form {...props} />
    </FormDialog>
  )
}

function Form({ onClose, onMade }: Props) {
  const [values, setValues] = useState({ name: '', email: '', role: 'support' })
  const headers = useAttempt(values)
  const makeCall = () => call('POST', '/admin/operators', { body: values, headers })
  const creation = useMutation({
    mutationFn: async () => {
      const { operator_id, name } = await send(makeCall())
      const link = await send(call('POST', '/admin/operators/:operator_id/sign_in_links', { param: { operator_id } }))
      return { ...link, name }
    },
    onSuccess: (link) => {
      onClose()
      onMade(link)
    },
  })
  const errorOf = (field: string) => errorProps(fieldError(creation.error, field))
  return (
    <form
      className="space-y-4"
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        if (!creation.isPending) creation.mutate()
      }}
    >
      <Dialog.Title className="text-lg font-semibold">Add an operator</Dialog.Title>
      <Input
        label="Name"
        autoComplete="off"
        value={values.name}
        {...errorOf('name')}
        onChange={(event) => setValues({ ...values, name: event.target.value })}
      />
      <Input
        label="E-mail address"
        type="email"
        autoComplete="off"
        description="The one that Cloudflare Access knows, if you sign in with it."
        value={values.email}
        {...errorOf('email')}
        onChange={(event) => setValues({ ...values, email: event.target.value })}
      />
      <Choice
        label="Role"
        value={values.role}
        options={ROLE_OPTIONS}
        onChange={(role) => setValues({ ...values, role })}
      />
      <Failure error={creation.error} shownFields={['name', 'email', 'role']} />
      <Curl call={makeCall()} />
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" variant="primary" loading={creation.isPending}>
          Add
        </Button>
      </div>
    </form>
  )
}
