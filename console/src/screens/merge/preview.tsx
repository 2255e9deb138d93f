/**
 * Shows what a merge would do: whose values are kept, what moves, and what the survivor is then. A dry run of the API says it.
 */
import { GitMergeIcon } from '@phosphor-icons/react'
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import type { V1Customer } from 'roster/client'
import { call } from '../../api/call.ts'
import type { CustomerPlace } from '../../api/customer.ts'
import { placeFor, useMe } from '../../api/me.ts'
import { send } from '../../api/send.ts'
import { count } from '../../lib/format.ts'
import { bothHave, changesOfSurvivor, type MergeField, movesOf, type Preferences, type Side } from '../../lib/merge.ts'
import { Confirm } from '../../parts/confirm.tsx'
import { Curl } from '../../parts/curl.tsx'
import { Diff } from '../../parts/diff.tsx'
import { GatedButton } from '../../parts/gate.tsx'
import { Section } from '../../parts/page.tsx'
import { Failure, Loading } from '../../parts/states.tsx'
import { TEXT_LINK } from '../../parts/text-link.ts'
import { CHANGE } from '../customer/actions.tsx'
import type { Done } from './result.tsx'
import { Sides } from './sides.tsx'

interface Current {
  customer: V1Customer
  etag: string | null
}

interface Props {
  place: CustomerPlace
  source: Current
  survivor: Current
  onDone: (done: Done) => void
}

export function Preview({ place, source, survivor, onDone }: Props) {
  const me = useMe()
  const queries = useQueryClient()
  const [preferences, prefer] = useState<Preferences>({})
  const [isAsked, ask] = useState(false)
  const [one, other] = [nameOf(source.customer), nameOf(survivor.customer)]
  const both = bothHave(survivor.customer, source.customer)
  const choose = (field: MergeField, side: Side) => prefer({ ...preferences, [field]: side })
  const hasChosen = Object.keys(preferences).length > 0
  const makeCall = (reason: string, isDryRun: boolean) =>
    call('POST', '/v1/customers/:id/merge', {
      param: { id: place.customerId },
      body: {
        into: survivor.customer.id,
        ...(survivor.etag !== null && { into_version: Number(survivor.etag.replaceAll('"', '')) }),
        ...(hasChosen && { prefer: preferences }),
        ...(isDryRun && { dry_run: true }),
      },
      ...(source.etag !== null && { ifMatch: source.etag }),
      ...(reason !== '' && { reason }),
      ...placeFor(me, place),
    })
  const looked = makeCall(me.kind === 'operator' ? 'Looked at before a merge' : '', true)
  const { data, error, isFetching } = useQuery({
    queryKey: ['customer', place.tenantId, place.mode, place.customerId, 'merge', looked],
    queryFn: ({ signal }) => send(looked, signal),
    placeholderData: keepPreviousData,
    staleTime: 0,
    retry: false,
  })
  const moved = data?.moved ?? null
  const changes = data ? changesOfSurvivor(survivor.customer, data.customer) : []
  const moves = moved ? movesOf(moved) : []
  const reload = () => queries.invalidateQueries({ queryKey: ['customer', place.tenantId, place.mode] })
  return (
    <div className="space-y-5">
      <Section
        title="Two become one"
        actions={
          <Link to="/tenants/$tenantId/$mode/customers/$customerId/merge" params={place} className={TEXT_LINK}>
            Choose another one
          </Link>
        }
      >
        <Sides source={source.customer} survivor={survivor.customer} place={place} />
      </Section>
      {both.length > 0 && (
        <Section title="Both have a value: which one is kept?">
          <div className="space-y-4">
            {both.map(({ field, label, target, source: given }) => (
              <fieldset key={field} className="space-y-1">
                <legend className="font-medium">{label}</legend>
                {(
                  [
                    ['target', target, 'of the one that stays'],
                    ['source', given, 'of the one that goes'],
                  ] as const
                ).map(([side, value, of]) => (
                  <label key={side} className="flex cursor-pointer items-start gap-2">
                    <input
                      type="radio"
                      className="mt-1"
                      name={`prefer ${field}`}
                      checked={(preferences[field] ?? 'target') === side}
                      onChange={() => choose(field, side)}
                    />
                    <span className="min-w-0 wrap-anywhere">
                      <span dir="auto">{value}</span> <span className="text-kumo-subtle">{of}</span>
                    </span>
                  </label>
                ))}
              </fieldset>
            ))}
          </div>
        </Section>
      )}
      <Section title={`What ${other} gets`}>
        {!data && !error && <Loading lines={3} />}
        <Failure error={error} />
        {data && (
          <div className={`space-y-3 ${isFetching ? 'opacity-60' : ''}`} aria-busy={isFetching}>
            {changes.length > 0 && <Diff changes={changes} label="Values that it gets" />}
            <ul className="list-disc space-y-1 pl-5">
              {changes.length === 0 && <li>No value of a field changes.</li>}
              {moves.map((move) => (
                <li key={move} className="wrap-anywhere">
                  {move}
                </li>
              ))}
            </ul>
          </div>
        )}
        <div className="mt-4">
          <Curl call={looked} label="Look at it with curl" />
        </div>
      </Section>
      <div className="flex justify-end">
        <GatedButton
          needs={CHANGE}
          variant="primary"
          icon={GitMergeIcon}
          refusal={data && !error ? null : 'What would happen is not known yet.'}
          onClick={() => ask(true)}
        >
          Merge…
        </GatedButton>
      </div>
      <Confirm
        open={isAsked}
        onClose={() => ask(false)}
        title={`Merge ${one} into ${other}?`}
        consequences={[
          `1 customer becomes a part of ${other}, and is no longer in lists, searches and exports.`,
          `${count(changes.length, 'value')} of ${other} ${changes.length === 1 ? 'changes' : 'change'}.`,
          ...moves.map((move) => `It gets ${move}.`),
          'Every id that it had leads to the other one at once, in all APIs. Webhooks hear of it.',
        ]}
        isWaiting={isFetching}
        typed={{ value: place.customerId, label: `Type the id of ${one}` }}
        reason={me.kind === 'operator' ? 'required' : 'optional'}
        confirmLabel="Merge"
        destructive
        makeCall={(reason) => makeCall(reason, false)}
        onRefused={reload}
        onDone={({ body }) => {
          onDone({ name: one, survivorId: survivor.customer.id, survivorName: other, changes, moves: movesIn(body) })
          reload()
          queries.invalidateQueries({ queryKey: ['customers'] })
          queries.invalidateQueries({ queryKey: ['audit'] })
        }}
      />
    </div>
  )
}

function nameOf({ name, external_id: externalId }: V1Customer): string {
  return name || externalId
}

function movesIn({ moved }: { moved: Parameters<typeof movesOf>[0] | null }): string[] {
  return moved ? movesOf(moved) : []
}
