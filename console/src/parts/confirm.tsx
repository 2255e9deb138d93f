/**
 * The dialog before a change that is hard to take back: what will happen in numbers, the name typed, the reason, the request
 * as curl, and the API's answer if it refuses.
 */
import { Button } from '@cloudflare/kumo/components/button'
import { Dialog } from '@cloudflare/kumo/components/dialog'
import { Input } from '@cloudflare/kumo/components/input'
import { useMutation } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import type { Call } from '../api/call.ts'
import { type Sent, sendForEtag } from '../api/send.ts'
import { Curl } from './curl.tsx'
import { FormDialog } from './form-dialog.tsx'
import { ReasonField } from './reason.tsx'
import { Failure } from './states.tsx'

interface Props<Answer> {
  open: boolean
  onClose: () => void
  title: string
  /** Sentences that say what will happen, in numbers where there are any. */
  consequences: readonly ReactNode[]
  /** Shown below the consequences: what would change. */
  children?: ReactNode
  /** Whether something is still loading without which nobody can decide. */
  isWaiting?: boolean
  /** Must be typed before the button works, letter by letter. */
  typed?: { value: string; label: string }
  /** Whether a reason is asked for. Operators always give one. */
  reason?: 'required' | 'optional'
  confirmLabel: string
  /** Whether it takes something away. */
  destructive?: boolean
  /** Returns the request, with the reason as it is typed. */
  makeCall: (reason: string) => Call<Answer>
  onDone: (sent: Sent<Answer>) => void
  /** Called when the API refused it. */
  onRefused?: () => void
  /** Shows why the API refused it, where its text alone is not enough. */
  refusal?: (error: unknown) => ReactNode
}

export function Confirm<Answer>(props: Props<Answer>) {
  return (
    <FormDialog isOpen={props.open} onClose={props.onClose}>
      <Form {...props} />
    </FormDialog>
  )
}

function Form<Answer>({
  onClose,
  title,
  consequences,
  children,
  isWaiting = false,
  typed,
  reason: wanted,
  confirmLabel,
  destructive = false,
  makeCall,
  onDone,
  onRefused,
  refusal = (error) => <Failure error={error} />,
}: Props<Answer>) {
  const [name, setName] = useState('')
  const [reason, setReason] = useState('')
  const change = useMutation({
    mutationFn: () => sendForEtag(makeCall(reason.trim())),
    onSuccess: (sent) => {
      onClose()
      onDone(sent)
    },
    onError: () => onRefused?.(),
  })
  const isReady = !isWaiting && (!typed || name === typed.value) && (wanted !== 'required' || reason.trim() !== '')
  return (
    <form
      className="space-y-4"
      onSubmit={(event) => {
        event.preventDefault()
        if (isReady && !change.isPending) change.mutate()
      }}
    >
      <Dialog.Title className="text-lg font-semibold break-words">{title}</Dialog.Title>
      <Dialog.Description render={<div />} className="text-kumo-default">
        <ul className="list-disc space-y-1 pl-5">
          {consequences.map((consequence, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the list of one dialog never changes its order
            <li key={at}>{consequence}</li>
          ))}
        </ul>
      </Dialog.Description>
      {children}
      {typed && (
        <Input
          label={typed.label}
          value={name}
          autoComplete="off"
          spellCheck={false}
          placeholder={typed.value}
          onChange={(event) => setName(event.target.value)}
        />
      )}
      {wanted && <ReasonField value={reason} onChange={setReason} required={wanted === 'required'} />}
      {change.error && refusal(change.error)}
      <Curl call={makeCall(reason.trim())} />
      <div className="flex justify-end gap-2">
        <Dialog.Close render={(close) => <Button {...close}>Cancel</Button>} />
        <Button
          type="submit"
          variant={destructive ? 'destructive' : 'primary'}
          disabled={!isReady}
          loading={change.isPending}
        >
          {confirmLabel}
        </Button>
      </div>
    </form>
  )
}
