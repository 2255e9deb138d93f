/**
 * Takes a merge back: what the two customers are then, and what stays where it is. A dry run of the API says it.
 */
import { useKumoToastManager } from '@cloudflare/kumo/components/toast'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import type { V1Customer } from 'roster/client'
import { call } from '../../api/call.ts'
import { type CustomerPlace, versionQuery } from '../../api/customer.ts'
import { placeFor, useMe } from '../../api/me.ts'
import { send } from '../../api/send.ts'
import { count } from '../../lib/format.ts'
import { changesOfSurvivor, keptTexts, movesOf } from '../../lib/merge.ts'
import { Confirm } from '../../parts/confirm.tsx'
import { Diff } from '../../parts/diff.tsx'
import { Failure, Loading } from '../../parts/states.tsx'

interface Props {
  /** The customer that was merged. */
  place: CustomerPlace
  /** The one that it is a part of. */
  survivor: V1Customer
  onClose: () => void
}

export function Unmerge({ place, survivor, onClose }: Props) {
  const me = useMe()
  const queries = useQueryClient()
  const toasts = useKumoToastManager()
  const { data: version, error: unread } = useQuery({
    ...versionQuery(me, { ...place, customerId: survivor.id }),
    staleTime: 0,
  })
  const etag = version?.etag ?? null
  const makeCall = (reason: string, isDryRun: boolean) =>
    call('POST', '/v1/customers/:id/unmerge', {
      param: { id: survivor.id },
      body: { source: place.customerId, ...(isDryRun && { dry_run: true }) },
      ...(etag !== null && { ifMatch: etag }),
      ...(reason !== '' && { reason }),
      ...placeFor(me, place),
    })
  const looked = makeCall(me.kind === 'operator' ? 'Looked at before an unmerge' : '', true)
  const { data, error } = useQuery({
    queryKey: ['customer', place.tenantId, place.mode, place.customerId, 'unmerge', looked],
    queryFn: ({ signal }) => send(looked, signal),
    enabled: version !== undefined,
    staleTime: 0,
    retry: false,
  })
  const failure = unread ?? error
  const other = nameOf(version?.customer ?? survivor)
  const one = data && 'name' in data.source ? nameOf(data.source) : place.customerId
  const changes = data && version ? changesOfSurvivor(version.customer, data.customer) : []
  const kept = keptTexts(data?.kept ?? [], { sourceId: place.customerId, survivorId: survivor.id, survivorName: other })
  const reload = () => queries.invalidateQueries({ queryKey: ['customer', place.tenantId, place.mode] })
  return (
    <Confirm
      open
      onClose={onClose}
      title="Take the merge back?"
      consequences={[
        `${one} is a customer of its own again, with all that it had. Each of its ids leads to it at once, in all APIs.`,
        ...(data
          ? [`${count(changes.length, 'value')} of ${other} ${changes.length === 1 ? 'changes' : 'change'}.`]
          : []),
        ...(data?.moved ? movesOf(data.moved) : []).map((move) => `It gets back ${move}.`),
        ...kept,
        'Webhooks hear of it. Merging them again is possible at any time.',
      ]}
      isWaiting={!data || failure !== null}
      reason={me.kind === 'operator' ? 'required' : 'optional'}
      confirmLabel="Take it back"
      makeCall={(reason) => makeCall(reason, false)}
      onRefused={reload}
      onDone={() => {
        toasts.add({ title: `${one} is a customer of its own again`, variant: 'success' })
        reload()
        queries.invalidateQueries({ queryKey: ['customers'] })
        queries.invalidateQueries({ queryKey: ['audit'] })
      }}
    >
      {!data && failure === null && <Loading lines={3} />}
      <Failure error={failure} />
      {changes.length > 0 && <Diff changes={changes} label="Values that change" />}
    </Confirm>
  )
}

function nameOf({ name, external_id: externalId }: V1Customer): string {
  return name || externalId
}
