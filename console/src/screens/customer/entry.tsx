/**
 * One line of the timeline, which opens to all of it.
 */
import { useKumoToastManager } from '@cloudflare/kumo/components/toast'
import { CheckCircleIcon, ClockIcon, WarningCircleIcon } from '@phosphor-icons/react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type Call, call } from '../../api/call.ts'
import type { CustomerPlace } from '../../api/customer.ts'
import { placeFor, useMe } from '../../api/me.ts'
import { send } from '../../api/send.ts'
import { deliveryText, stepText, type TimelineEntry } from '../../lib/customer-timeline.ts'
import { Curl } from '../../parts/curl.tsx'
import { GatedButton } from '../../parts/gate.tsx'
import { Failure } from '../../parts/states.tsx'
import { Time } from '../../parts/time.tsx'
import { Changed } from './changed.tsx'
import { Line } from './line.tsx'

type Of<Kind> = Extract<TimelineEntry, { kind: Kind }>

interface Props {
  entry: TimelineEntry
  place: CustomerPlace
  isPast: boolean
}

export function Entry({ entry, place, isPast }: Props) {
  switch (entry.kind) {
    case 'change':
      return <Changed entry={entry} place={place} isPast={isPast} />
    case 'delivery':
      return <Delivered entry={entry} place={place} />
    case 'step':
      return <Stepped entry={entry} place={place} />
  }
}

const REDELIVER = { role: 'support', scope: 'webhooks:manage' } as const

function Delivered({ entry: { delivery, endpoint, at }, place }: { entry: Of<'delivery'>; place: CustomerPlace }) {
  const me = useMe()
  const isWaiting = delivery.status === 'pending'
  const tone = delivery.status === 'delivered' ? 'success' : delivery.status === 'failed' ? 'danger' : 'warning'
  const icon = delivery.status === 'delivered' ? CheckCircleIcon : isWaiting ? ClockIcon : WarningCircleIcon
  const options = { param: { endpoint_id: endpoint.id }, ...placeFor(me, place), reason: 'Sent again from the console' }
  const again = isWaiting
    ? call('POST', '/v1/webhooks/endpoints/:endpoint_id/retry', { ...options, body: { delivery_id: delivery.id } })
    : call('POST', '/v1/webhooks/endpoints/:endpoint_id/redeliver', {
        ...options,
        body: { event_id: delivery.event_id },
      })
  return (
    <Line icon={icon} tone={tone} sentence={deliveryText(delivery, endpoint)} at={at}>
      <ol className="space-y-2">
        {delivery.attempts.map(({ number, at: attemptAt, status_code, error, duration_ms, answer }) => (
          <li key={number}>
            Attempt {number}, <Time at={attemptAt} />: {status_code ?? error ?? 'no answer'}, {duration_ms} ms
            {answer && (
              <pre className="mt-1 rounded-md bg-kumo-recessed p-2 font-mono text-xs wrap-anywhere whitespace-pre-wrap">
                {answer}
              </pre>
            )}
          </li>
        ))}
      </ol>
      {delivery.next_attempt_at !== null && (
        <p className="text-kumo-subtle">
          Next attempt <Time at={delivery.next_attempt_at} />
        </p>
      )}
      <p className="wrap-anywhere text-kumo-subtle">{endpoint.url}</p>
      <SendNow
        call={again}
        label={isWaiting ? 'Try now' : 'Redeliver'}
        done="Sent to the queue"
        needs={REDELIVER}
        place={place}
      />
    </Line>
  )
}

const SIGNAL = { role: 'support', scope: 'customers:write' } as const

function Stepped({ entry: { step, number, at }, place }: { entry: Of<'step'>; place: CustomerPlace }) {
  const me = useMe()
  const isFailed = step.status === 'failed'
  const isDone = step.status === 'completed'
  const options = { param: { id: place.customerId }, ...placeFor(me, place), reason: 'Sent from the console' }
  return (
    <Line
      icon={isFailed ? WarningCircleIcon : isDone ? CheckCircleIcon : ClockIcon}
      tone={isFailed ? 'danger' : isDone ? 'success' : 'warning'}
      sentence={stepText(step, number)}
      at={at}
    >
      <p>
        Type <code className="font-mono">{step.type}</code>, {step.attempts} attempts, begun{' '}
        <Time at={step.started_at} />, ended <Time at={step.finished_at} never="not yet" />
      </p>
      {step.error !== null && <p className="text-kumo-danger">{step.error}</p>}
      {step.signal !== null && step.status === 'waiting' && (
        <SendNow
          call={call('POST', '/v1/customers/:id/onboarding/signal', { ...options, body: { signal: step.signal } })}
          label={`Send ${step.signal}`}
          done={`Sent the signal ${step.signal}`}
          needs={SIGNAL}
          place={place}
        />
      )}
      {isFailed && (
        <SendNow
          call={call('POST', '/v1/customers/:id/onboarding/retry', options)}
          label="Try again"
          done="Tried again"
          needs={SIGNAL}
          place={place}
        />
      )}
    </Line>
  )
}

interface SendNowProps {
  call: Call
  label: string
  done: string
  needs: { role: 'support'; scope: string }
  place: CustomerPlace
}

/** A button that sends the call at once: it takes nothing away. */
function SendNow({ call: made, label, done, needs, place }: SendNowProps) {
  const queries = useQueryClient()
  const toasts = useKumoToastManager()
  const sending = useMutation({
    mutationFn: () => send(made),
    onSuccess: () => {
      toasts.add({ title: done, variant: 'success' })
      return queries.invalidateQueries({ queryKey: ['customer', place.tenantId, place.mode, place.customerId] })
    },
  })
  return (
    <div className="space-y-2">
      <GatedButton needs={needs} size="sm" loading={sending.isPending} onClick={() => sending.mutate()}>
        {label}
      </GatedButton>
      <Failure error={sending.error} />
      <Curl call={made} />
    </div>
  )
}
