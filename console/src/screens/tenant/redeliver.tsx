/**
 * Sends again what an endpoint missed: all that failed, or all since a time. The API does a part at a time and returns where
 * to go on; the dialog goes on to the end.
 */
import { Button } from '@cloudflare/kumo/components/button'
import { Dialog } from '@cloudflare/kumo/components/dialog'
import { Input } from '@cloudflare/kumo/components/input'
import { ArrowClockwiseIcon } from '@phosphor-icons/react'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { call, type Mode } from '../../api/call.ts'
import { useMe } from '../../api/me.ts'
import { send } from '../../api/send.ts'
import { count } from '../../lib/format.ts'
import { Choice } from '../../parts/choice.tsx'
import { Curl } from '../../parts/curl.tsx'
import { FormDialog } from '../../parts/form-dialog.tsx'
import { GatedButton } from '../../parts/gate.tsx'
import { ReasonField } from '../../parts/reason.tsx'
import { Failure } from '../../parts/states.tsx'

interface Props {
  param: { endpoint_id: string }
  place: { place?: { tenantId: string; mode: Mode } }
  onDone: (text: string) => void
}

export function Redeliver({ param, place, onDone }: Props) {
  const [isOpen, open] = useState(false)
  return (
    <>
      <GatedButton
        needs={{ role: 'support', scope: 'webhooks:manage' }}
        icon={ArrowClockwiseIcon}
        onClick={() => open(true)}
      >
        Redeliver…
      </GatedButton>
      <FormDialog isOpen={isOpen} onClose={() => open(false)}>
        <Form
          param={param}
          place={place}
          onClose={() => open(false)}
          onDone={(text) => {
            open(false)
            onDone(text)
          }}
        />
      </FormDialog>
    </>
  )
}

function Form({ param, place, onDone, onClose }: Props & { onClose: () => void }) {
  const me = useMe()
  const [which, setWhich] = useState('failed')
  const [since, setSince] = useState('')
  const [reason, setReason] = useState('')
  const [sent, setSent] = useState(0)
  const sinceTime = since === '' ? null : new Date(since).toISOString()
  const makeCall = (cursor?: string) =>
    call('POST', '/v1/webhooks/endpoints/:endpoint_id/redeliver', {
      param,
      body: {
        ...(which === 'failed' ? { failed: true } : { since: sinceTime ?? '' }),
        ...(cursor !== undefined && { cursor }),
      },
      reason: reason.trim(),
      ...place,
    })
  const redelivery = useMutation({
    mutationFn: async () => {
      let redelivered = 0
      let cursor: string | undefined
      do {
        const part = await send(makeCall(cursor))
        redelivered += part.redelivered
        setSent(redelivered)
        cursor = part.next_cursor ?? undefined
      } while (cursor !== undefined)
      return redelivered
    },
    onSuccess: (redelivered) => onDone(`${count(redelivered, 'event')} on the way again.`),
  })
  const isOperator = me.kind === 'operator'
  const isReady = (which === 'failed' || sinceTime !== null) && (!isOperator || reason.trim() !== '')
  return (
    <form
      className="space-y-4"
      onSubmit={(event) => {
        event.preventDefault()
        if (isReady && !redelivery.isPending) redelivery.mutate()
      }}
    >
      <Dialog.Title className="text-lg font-semibold">Redeliver</Dialog.Title>
      <Dialog.Description className="text-kumo-subtle">
        Events are sent again in the order of each customer, with the ids that they had: a receiver that has one already
        knows it.
      </Dialog.Description>
      <Choice
        label="Which"
        value={which}
        options={[
          ['failed', 'All that failed for good'],
          ['since', 'All events since a time'],
        ]}
        onChange={setWhich}
      />
      {which === 'since' && (
        <Input
          label="Since, in your time zone"
          type="datetime-local"
          value={since}
          onChange={(event) => setSince(event.target.value)}
        />
      )}
      <ReasonField value={reason} onChange={setReason} required={isOperator} />
      <Failure error={redelivery.error} />
      {redelivery.isPending && <p role="status">{count(sent, 'event')} so far …</p>}
      <Curl call={makeCall()} />
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" variant="primary" loading={redelivery.isPending} disabled={!isReady}>
          Redeliver
        </Button>
      </div>
    </form>
  )
}
