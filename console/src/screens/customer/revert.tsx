/**
 * Makes a customer what it was in a version: what that changes, and what of it is not to be had any more.
 */
import { useKumoToastManager } from '@cloudflare/kumo/components/toast'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../../api/call.ts'
import { type CustomerPlace, currentQuery, pastQuery } from '../../api/customer.ts'
import { placeFor, useMe } from '../../api/me.ts'
import { ApiError } from '../../api/send.ts'
import { fieldLabel } from '../../lib/changes.ts'
import { count } from '../../lib/format.ts'
import { changesToPast } from '../../lib/past.ts'
import { Confirm } from '../../parts/confirm.tsx'
import { Diff } from '../../parts/diff.tsx'
import { Failure, Loading } from '../../parts/states.tsx'

interface Props {
  place: CustomerPlace
  version: number
  onClose: () => void
}

export function Revert({ place, version, onClose }: Props) {
  const me = useMe()
  const queries = useQueryClient()
  const toasts = useKumoToastManager()
  const [isPartial, setPartial] = useState(false)
  const now = useQuery(currentQuery(me, place))
  const then = useQuery(pastQuery(me, place, version))
  const changes = now.data && then.data ? changesToPast(now.data.customer, then.data) : null
  const reload = () => queries.invalidateQueries({ queryKey: ['customer', place.tenantId, place.mode] })
  return (
    <Confirm
      open
      onClose={onClose}
      title={`Revert to version ${version}?`}
      consequences={[
        changes === null
          ? 'A new version is made, with all values of then.'
          : changes.length === 0
            ? 'Every field that is shown here is what it was: nothing changes.'
            : `${count(changes.length, 'value')} of 1 customer ${changes.length === 1 ? 'changes' : 'change'}, in a new version.`,
        'Nothing of the log is lost: this can be reverted too. Webhooks hear of it.',
      ]}
      isWaiting={changes === null}
      reason={me.kind === 'operator' ? 'required' : 'optional'}
      confirmLabel="Revert"
      makeCall={(reason) =>
        call('POST', '/v1/customers/:id/revert', {
          param: { id: place.customerId },
          query: { partial: isPartial ? 'true' : null },
          body: { version },
          ...(now.data?.etag && { ifMatch: now.data.etag }),
          ...(reason !== '' && { reason }),
          ...placeFor(me, place),
        })
      }
      onRefused={reload}
      refusal={(error) => <NotToBeHad error={error} isPartial={isPartial} onPartial={setPartial} />}
      onDone={({ body: { left = [] } }) => {
        const but = left.length === 0 ? '' : `, but for ${left.map(fieldLabel).join(', ')}`
        toasts.add({ title: `Reverted to version ${version}${but}`, variant: 'success' })
        reload()
        queries.invalidateQueries({ queryKey: ['customers'] })
        queries.invalidateQueries({ queryKey: ['audit'] })
      }}
    >
      {changes === null && !now.error && !then.error && <Loading lines={3} />}
      <Failure error={now.error ?? then.error} />
      {changes !== null && changes.length > 0 && <Diff changes={changes} label="What the revert changes" />}
    </Confirm>
  )
}

interface RefusalProps {
  error: unknown
  isPartial: boolean
  onPartial: (isPartial: boolean) => void
}

/** Names each field that is in the way, and offers to revert the others. */
function NotToBeHad({ error, isPartial, onPartial }: RefusalProps) {
  if (!(error instanceof ApiError && error.details.reason === 'revert_conflict')) return <Failure error={error} />
  return (
    <div className="space-y-3 rounded-md bg-kumo-warning-tint p-3 ring ring-kumo-warning/30">
      <div role="alert">
        <p className="font-medium">Not all of it is to be had any more:</p>
        <ul className="mt-1 list-disc pl-5">
          {error.fields.map(({ field, message }) => (
            <li key={field} className="wrap-anywhere">
              {fieldLabel(field)} {message}
            </li>
          ))}
        </ul>
      </div>
      <label className="flex cursor-pointer items-center gap-2">
        <input type="checkbox" checked={isPartial} onChange={(event) => onPartial(event.target.checked)} />
        Revert the rest, and leave {error.fields.length === 1 ? 'this' : 'these'} as{' '}
        {error.fields.length === 1 ? 'it is' : 'they are'}
      </label>
    </div>
  )
}
