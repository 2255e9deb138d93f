/**
 * Everything that happened to a customer, newest first, a sentence each.
 */
import { Button } from '@cloudflare/kumo/components/button'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import {
  type CustomerPlace,
  DELIVERIES_MAX,
  deliveriesQuery,
  eventsQuery,
  onboardingQuery,
  reasonsQuery,
} from '../../api/customer.ts'
import { useMe } from '../../api/me.ts'
import { type LoggedChange, type TimelineEntry, timelineOf } from '../../lib/customer-timeline.ts'
import { eventsToGoBackTo } from '../../lib/past.ts'
import { byDay } from '../../lib/timeline.ts'
import { Section } from '../../parts/page.tsx'
import { EmptyState, ErrorState, Loading } from '../../parts/states.tsx'
import { useNowMs } from '../../parts/time.tsx'
import { Entry } from './entry.tsx'

const FILTERS = [
  ['all', 'All'],
  ['change', 'Changes'],
  ['delivery', 'Webhooks'],
  ['step', 'Onboarding'],
] as const

const NO_EVENTS: ReadonlySet<string> = new Set()

type Filter = (typeof FILTERS)[number][0]

/** `isMerged`: the customer is a part of another one, and has no version to go back to. */
export function Timeline({ place, isMerged = false }: { place: CustomerPlace; isMerged?: boolean }) {
  const me = useMe()
  const nowMs = useNowMs()
  const [filter, setFilter] = useState<Filter>('all')
  const events = useInfiniteQuery(eventsQuery(me, place))
  const { data: reasons = [] } = useQuery(reasonsQuery(me, place))
  const deliveries = useQuery(deliveriesQuery(me, place))
  const onboarding = useQuery(onboardingQuery(me, place))
  const logged = (events.data?.pages ?? []).flatMap((page) => page.items as LoggedChange[])
  const toGoBackTo = isMerged ? NO_EVENTS : eventsToGoBackTo(logged)
  const entries = timelineOf({
    customerId: place.customerId,
    events: logged,
    reasons: new Map(reasons.flatMap(({ id, reason }) => (reason ? [[id, reason] as const] : []))),
    deliveries: deliveries.data ?? [],
    steps: onboarding.data?.steps ?? [],
  })
  const shown = entries.filter(({ kind }) => filter === 'all' || kind === filter)
  const failed = [events, deliveries, onboarding].find(({ error }) => error !== null)
  return (
    <Section title="What happened" flush actions={<Filters filter={filter} choose={setFilter} />}>
      {failed && <ErrorState error={failed.error} onRetry={() => failed.refetch()} />}
      {events.isPending && !failed && <Loading lines={6} />}
      {shown.length === 0 && events.data && <Nothing filter={filter} />}
      {byDay(shown, ({ at }) => at, nowMs).map(({ date, label, entries: ofDay }) => (
        <div key={date}>
          <h3 className="bg-kumo-elevated px-4 py-1.5 text-xs font-medium text-kumo-subtle">{label}</h3>
          <ol className="divide-y divide-kumo-hairline">
            {ofDay.map((entry: TimelineEntry) => (
              <Entry key={entry.id} entry={entry} place={place} isPast={toGoBackTo.has(entry.id)} />
            ))}
          </ol>
        </div>
      ))}
      {events.hasNextPage && (
        <div className="flex justify-center p-3">
          <Button size="sm" onClick={() => events.fetchNextPage()} loading={events.isFetchingNextPage}>
            Earlier changes
          </Button>
        </div>
      )}
      {(filter === 'delivery' || filter === 'all') && deliveries.data && deliveries.data.length > 0 && (
        <p className="border-t border-kumo-hairline px-4 py-2 text-xs text-kumo-subtle">
          Webhooks: those among the latest {DELIVERIES_MAX} deliveries of each endpoint.
        </p>
      )}
    </Section>
  )
}

function Filters({ filter, choose }: { filter: Filter; choose: (filter: Filter) => void }) {
  return (
    <fieldset className="flex flex-wrap gap-1">
      <legend className="sr-only">Show</legend>
      {FILTERS.map(([value, label]) => (
        <button
          key={value}
          type="button"
          aria-pressed={filter === value}
          className={`cursor-pointer rounded-md px-2.5 py-1 text-sm ${filter === value ? 'bg-kumo-fill font-medium' : 'text-kumo-subtle hover:bg-kumo-tint'}`}
          onClick={() => choose(value)}
        >
          {label}
        </button>
      ))}
    </fieldset>
  )
}

const NOTHING: Record<Filter, [title: string, description: string]> = {
  all: ['Nothing yet', 'Changes appear here as they are made.'],
  change: ['No changes in the log', 'The event log keeps changes for a limited time.'],
  delivery: [
    'No webhooks',
    'No endpoint was sent an event of this customer lately. An endpoint is made with POST /v1/webhooks/endpoints.',
  ],
  step: ['No onboarding', 'No workflow was configured when this customer was created.'],
}

function Nothing({ filter }: { filter: Filter }) {
  const [title, description] = NOTHING[filter]
  return <EmptyState title={title} description={description} />
}
