/**
 * How this Roster is: databases, what waits to be sent, endpoints that fail, errors.
 */
import { Badge } from '@cloudflare/kumo/components/badge'
import { CheckCircleIcon } from '@phosphor-icons/react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { call } from '../../api/call.ts'
import { healthQuery } from '../../api/health.ts'
import type { Health as HealthReport } from '../../api/routes.ts'
import { bytes, count, number, relativeTime } from '../../lib/format.ts'
import { Curl } from '../../parts/curl.tsx'
import { coversRow, List } from '../../parts/list.tsx'
import { OperatorsOnly } from '../../parts/operators-only.tsx'
import { Page, Section } from '../../parts/page.tsx'
import { Share } from '../../parts/share.tsx'
import { EmptyState, ErrorState, Loading } from '../../parts/states.tsx'
import { ModeBadge } from '../../parts/status.tsx'
import { Time, useNowMs } from '../../parts/time.tsx'
import { ROW } from '../../shell/keyboard.tsx'

const REFRESH_MS = 15_000
/** A delivery is sent within a second; one that is due for longer waits for something. */
const LATE_AFTER_MS = 60_000

export function Health() {
  return (
    <OperatorsOnly title="Health">
      <Report />
    </OperatorsOnly>
  )
}

function Report() {
  const { data, error, isPending, refetch, dataUpdatedAt } = useQuery({ ...healthQuery, refetchInterval: REFRESH_MS })
  return (
    <Page
      title="Health"
      below={
        data && (
          <span>
            Asked <Time at={new Date(dataUpdatedAt).toISOString()} />, and again every 15 seconds.
          </span>
        )
      }
    >
      {isPending && <Loading lines={6} />}
      {!data && error && <ErrorState error={error} onRetry={() => refetch()} />}
      {data && <Shown report={data} />}
      <div className="mt-4">
        <Curl call={call('GET', '/admin/health')} />
      </div>
    </Page>
  )
}

function Shown({ report }: { report: HealthReport }) {
  const nowMs = useNowMs()
  const { databases, archive, outbox, failing_endpoints: failing, errors_last_hour: errors } = report
  const isLate = outbox.oldest_due_at !== null && nowMs - Date.parse(outbox.oldest_due_at) > LATE_AFTER_MS
  return (
    <div className="space-y-5">
      <div className="grid gap-5 md:grid-cols-3">
        <Figure
          title="Errors in the last hour"
          value={number(errors.total)}
          isBad={errors.total > 0}
          note={errors.total === 0 ? 'No request was answered with 5xx.' : byApi(errors.by_api)}
        />
        <Figure
          title="Deliveries that wait"
          value={`${number(outbox.pending)}${outbox.pending_is_capped ? '+' : ''}`}
          isBad={isLate}
          note={outbox.oldest_due_at === null ? 'None is due.' : dueText(outbox.oldest_due_at, nowMs)}
        />
        <Figure
          title="Failing endpoints"
          value={`${number(failing.total)}${failing.total_is_capped ? '+' : ''}`}
          isBad={failing.total > 0}
          note={failing.total === 0 ? 'Every endpoint answers.' : 'Their tenants do not hear of changes.'}
        />
      </div>
      <Section title="Databases">
        <div className="grid gap-5 sm:grid-cols-2">
          {databases.map(({ name, bytes: used, bytes_max: of }) => (
            <Share key={name} label={name} used={used} of={of} show={bytes} />
          ))}
        </div>
      </Section>
      <Section title="Archive">
        <p>
          {count(archive.objects, 'object')} with {count(archive.events, 'event')}, {bytes(archive.bytes)}.{' '}
          {archive.complete_before === null ? (
            'Nothing has been archived yet.'
          ) : (
            <>
              Complete before <Time at={archive.complete_before} />.
            </>
          )}
        </p>
      </Section>
      <Section title="Failing endpoints" flush>
        {failing.items.length === 0 ? (
          <EmptyState
            icon={<CheckCircleIcon size={40} aria-hidden />}
            title="No endpoint fails"
            description="An endpoint stands here from its first failed attempt until one is answered with 2xx."
          />
        ) : (
          <List
            label="Failing endpoints"
            rows={failing.items}
            rowKey={({ endpoint_id }) => endpoint_id}
            columns={[
              {
                head: 'Endpoint',
                isTitle: true,
                cell: ({ tenant_id, mode, endpoint_id, url_host }) => (
                  <Link
                    {...ROW}
                    to="/tenants/$tenantId/$mode/endpoints/$endpointId"
                    params={{ tenantId: tenant_id, mode, endpointId: endpoint_id }}
                    className={coversRow}
                  >
                    {url_host}
                  </Link>
                ),
              },
              { head: 'Tenant', cell: ({ company_name }) => <span dir="auto">{company_name}</span> },
              { head: 'Mode', cell: ({ mode }) => <ModeBadge mode={mode} /> },
              { head: 'Failing since', cell: ({ failing_since }) => <Time at={failing_since} /> },
            ]}
          />
        )}
        {failing.items.length < failing.total && (
          <p className="border-t border-kumo-hairline p-3 text-kumo-subtle">
            The first {count(failing.items.length, 'endpoint')} of {number(failing.total)}
            {failing.total_is_capped ? ' or more' : ''}.
          </p>
        )}
      </Section>
    </div>
  )
}

function Figure({ title, value, note, isBad }: { title: string; value: string; note: string; isBad: boolean }) {
  return (
    <div className="rounded-lg bg-kumo-base p-4 shadow-xs ring ring-kumo-line">
      <h2 className="text-sm text-kumo-subtle">{title}</h2>
      <p className="mt-1 flex items-center gap-3 text-2xl font-semibold">
        {value}
        <Badge variant={isBad ? 'error' : 'success'}>{isBad ? 'look at it' : 'fine'}</Badge>
      </p>
      <p className="mt-1 text-sm text-kumo-subtle">{note}</p>
    </div>
  )
}

/** A delivery that is tried again is due later. */
function dueText(time: string, nowMs: number): string {
  const text = `${Date.parse(time) > nowMs ? 'The next is due' : 'The oldest was due'} ${relativeTime(time, nowMs)}`
  return text.endsWith('.') ? text : `${text}.`
}

function byApi(counts: HealthReport['errors_last_hour']['by_api']): string {
  return counts.map(({ api, status, count: errors }) => `${api} ${status}: ${number(errors)}`).join(', ')
}
