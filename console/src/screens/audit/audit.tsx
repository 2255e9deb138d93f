/**
 * The changes that the audit has, newest first. Every filter is in the address, and an entry opens to its diff.
 */
import { Button } from '@cloudflare/kumo/components/button'
import { ClockCounterClockwiseIcon, DownloadSimpleIcon, XIcon } from '@phosphor-icons/react'
import { useInfiniteQuery, useMutation } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { type Answer, call } from '../../api/call.ts'
import { keepRows } from '../../api/keep-rows.ts'
import { send } from '../../api/send.ts'
import { auditCsv } from '../../lib/audit-csv.ts'
import { itemsOfPages, pageWithItems } from '../../lib/pages.ts'
import { byDay } from '../../lib/timeline.ts'
import { Curl } from '../../parts/curl.tsx'
import { download } from '../../parts/download.ts'
import { More } from '../../parts/list.tsx'
import { OperatorsOnly } from '../../parts/operators-only.tsx'
import { Card, Page } from '../../parts/page.tsx'
import { EmptyState, ErrorState, Failure, Loading } from '../../parts/states.tsx'
import { useNowMs } from '../../parts/time.tsx'
import { Entry, type ShownEntry } from './entry.tsx'
import { type AuditFilter, Filters } from './filters.tsx'

const route = getRouteApi('/audit')
/** A spreadsheet is for looking at. A caller that needs more takes the API. */
const CSV_ROWS_MAX = 10_000

type AuditPage = Answer<'/admin/audit'>

function auditCall(filter: AuditFilter, cursor: string | null, limit = 50) {
  return call('GET', '/admin/audit', { query: { ...filter, limit, cursor } })
}

export function Audit() {
  return (
    <OperatorsOnly title="Audit">
      <AllChanges />
    </OperatorsOnly>
  )
}

function AllChanges() {
  const { entry: opened, cursor: _, ...filter } = route.useSearch()
  const navigate = useNavigate()
  const nowMs = useNowMs()
  const query = useInfiniteQuery({
    queryKey: ['audit', filter],
    placeholderData: keepRows('audit'),
    queryFn: ({ pageParam, signal }) =>
      pageWithItems((cursor): Promise<AuditPage> => send(auditCall(filter, cursor), signal), pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: ({ pagination }) => pagination.next_cursor,
  })
  const entries: ShownEntry[] = query.data?.pages.flatMap(({ items }) => items) ?? []
  const isFiltered = Object.values(filter).some((value) => value !== undefined)
  const change = (next: AuditFilter) => navigate({ to: '/audit', search: next, replace: true })
  const csv = useMutation({
    mutationFn: async () => {
      const read = (cursor: string | null): Promise<AuditPage> => send(auditCall(filter, cursor, 100))
      const { items, cursor } = await itemsOfPages<ShownEntry>(read, CSV_ROWS_MAX)
      download('audit.csv', 'text/csv', auditCsv(items.map((each) => ({ ...each, changes: each.changes ?? [] }))))
      return cursor === null ? null : items.length
    },
  })
  return (
    <Page
      title="Audit"
      actions={
        <Button
          icon={DownloadSimpleIcon}
          loading={csv.isPending}
          disabled={entries.length === 0}
          onClick={() => csv.mutate()}
        >
          CSV
        </Button>
      }
    >
      <Filters key={JSON.stringify(filter)} filter={filter} onChange={change} />
      <Failure error={csv.error} />
      {csv.data && (
        <p role="status">The file has the newest {csv.data} entries; more may follow. Narrow the time to get them.</p>
      )}
      <Card className="mt-4">
        {query.isPending && <Loading lines={8} />}
        {query.error && entries.length === 0 && <ErrorState error={query.error} onRetry={() => query.refetch()} />}
        {query.data && entries.length === 0 && !query.hasNextPage && (
          <EmptyState
            icon={<ClockCounterClockwiseIcon size={40} aria-hidden />}
            title={isFiltered ? 'No change like this' : 'No change yet'}
            description={
              isFiltered
                ? 'No change fits all of these filters.'
                : 'Every change of a tenant, key, customer or operator will be here.'
            }
            contents={
              isFiltered && (
                <Link to="/audit" className="inline-flex items-center gap-1 underline">
                  <XIcon size={14} aria-hidden /> Clear the filters
                </Link>
              )
            }
          />
        )}
        <div className={query.isPlaceholderData ? 'opacity-60' : ''}>
          {byDay(entries, ({ created_at }) => created_at, nowMs).map(({ date, label, entries: ofDay }) => (
            <section key={date} aria-label={label}>
              <h2 className="border-b border-kumo-hairline bg-kumo-recessed px-4 py-1.5 text-sm font-medium text-kumo-subtle">
                {label}
              </h2>
              <ul className="divide-y divide-kumo-hairline border-b border-kumo-hairline">
                {ofDay.map((entry) => (
                  <Entry
                    key={entry.id}
                    entry={entry}
                    isOpen={opened === entry.id}
                    onToggle={(isOpen) =>
                      navigate({
                        to: '/audit',
                        search: isOpen ? { ...filter, entry: entry.id } : filter,
                        replace: true,
                        resetScroll: false,
                      })
                    }
                  />
                ))}
              </ul>
            </section>
          ))}
        </div>
        {query.data && entries.length === 0 && query.hasNextPage && (
          <p className="p-4 text-kumo-subtle">Nothing fits in what was looked at so far. Older entries follow.</p>
        )}
        <More query={query} />
      </Card>
      <div className="mt-3">
        <Curl call={auditCall(filter, null)} />
      </div>
    </Page>
  )
}
