/**
 * A delivery as a row that opens to its attempts: when, how long, what was answered.
 */
import { ArrowClockwiseIcon, CaretRightIcon } from '@phosphor-icons/react'
import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { call, type Mode } from '../../api/call.ts'
import { placeFor, useMe } from '../../api/me.ts'
import { send } from '../../api/send.ts'
import { count, exactTime, number } from '../../lib/format.ts'
import { Curl } from '../../parts/curl.tsx'
import { GatedButton } from '../../parts/gate.tsx'
import { Id } from '../../parts/id.tsx'
import { Failure } from '../../parts/states.tsx'
import { Status } from '../../parts/status.tsx'
import { Time } from '../../parts/time.tsx'
import { ROW } from '../../shell/keyboard.tsx'

export interface ShownDelivery {
  id: string
  event_id: string
  /** Null once the event is older than the log. */
  event_type: string
  customer_id: string | null
  status: string
  next_attempt_at: string | null
  created_at: string
  finished_at: string | null
  attempts: readonly {
    number: number
    at: string
    duration_ms: number
    status_code: number | null
    error: string | null
    answer: string | null
  }[]
}

interface Props {
  delivery: ShownDelivery
  place: { tenantId: string; mode: Mode }
  param: { endpoint_id: string }
  onDone: (text: string) => void
}

export function Delivery({ delivery, place, param, onDone }: Props) {
  const me = useMe()
  const { tenantId, mode } = place
  const { attempts, event_type, event_id, customer_id, status, next_attempt_at, created_at } = delivery
  const last = attempts.at(-1)
  const redeliverCall = call('POST', '/v1/webhooks/endpoints/:endpoint_id/redeliver', {
    param,
    body: { event_id },
    ...(me.kind === 'operator' && { reason: 'Redelivered one event in the console' }),
    ...placeFor(me, place),
  })
  const redelivery = useMutation({
    mutationFn: () => send(redeliverCall),
    onSuccess: () => onDone('The event is on its way again.'),
  })
  return (
    <li>
      <details className="group">
        <summary
          {...ROW}
          className="flex cursor-pointer flex-wrap items-center gap-x-3 gap-y-1 px-4 py-3 hover:bg-kumo-tint/60 focus-visible:bg-kumo-tint"
        >
          <CaretRightIcon
            size={14}
            className="shrink-0 text-kumo-subtle transition-transform group-open:rotate-90"
            aria-hidden
          />
          <Status value={status} />
          <code className="font-mono text-[0.92em]">{event_type}</code>
          <span className="flex min-w-0 flex-1 items-center gap-3 max-sm:basis-full max-sm:pl-7">
            <span className="min-w-0 flex-1 truncate text-kumo-subtle">
              {last ? answerText(last) : 'not sent yet'}
              {attempts.length > 1 && `, ${count(attempts.length, 'attempt')}`}
            </span>
            <Time at={created_at} />
          </span>
        </summary>
        <div className="space-y-3 px-4 pb-4 md:pl-11">
          <div className="flex flex-wrap items-center gap-x-4 gap-y-1">
            <span className="inline-flex items-center gap-1">
              Event <Id value={event_id} />
            </span>
            {customer_id !== null && (
              <Link
                to="/tenants/$tenantId/$mode/customers/$customerId"
                params={{ tenantId, mode, customerId: customer_id }}
                className="underline"
              >
                The customer
              </Link>
            )}
            {next_attempt_at !== null && (
              <span>
                next attempt <Time at={next_attempt_at} />
              </span>
            )}
          </div>
          {attempts.length > 0 && (
            <ol aria-label="Attempts" className="space-y-2">
              {[...attempts].reverse().map((attempt) => (
                <li key={attempt.number} className="rounded-md bg-kumo-recessed p-3">
                  <div className="flex flex-wrap items-baseline gap-x-4">
                    <span className="font-medium">Attempt {attempt.number}</span>
                    <span>{answerText(attempt)}</span>
                    <span className="text-kumo-subtle">{number(attempt.duration_ms)} ms</span>
                    <span className="text-kumo-subtle">{exactTime(attempt.at)}</span>
                  </div>
                  {attempt.answer !== null && attempt.answer !== '' && (
                    <pre className="mt-2 font-mono text-xs break-words whitespace-pre-wrap" dir="auto">
                      {attempt.answer}
                    </pre>
                  )}
                </li>
              ))}
            </ol>
          )}
          <div className="flex flex-wrap items-start gap-3">
            <GatedButton
              needs={{ role: 'support', scope: 'webhooks:manage' }}
              size="sm"
              icon={ArrowClockwiseIcon}
              loading={redelivery.isPending}
              onClick={() => redelivery.mutate()}
            >
              Redeliver
            </GatedButton>
            <div className="min-w-0 flex-1">
              <Curl call={redeliverCall} />
            </div>
          </div>
          <Failure error={redelivery.error} />
        </div>
      </details>
    </li>
  )
}

function answerText({ status_code: code, error }: ShownDelivery['attempts'][number]): string {
  if (code !== null) return `answered ${code}`
  return error === null ? 'no answer' : error.replaceAll('_', ' ')
}
