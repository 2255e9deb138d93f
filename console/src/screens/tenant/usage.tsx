/**
 * The usage of a tenant: the year and the storage against their limits, and each day's requests as a chart.
 */
import { ChartBarIcon } from '@phosphor-icons/react'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { call, type Mode } from '../../api/call.ts'
import { useMe } from '../../api/me.ts'
import type { ModeUsage } from '../../api/routes.ts'
import { usageQuery } from '../../api/tenants.ts'
import { bytes, count, date, number } from '../../lib/format.ts'
import { total, usageSeries, yearOutlook } from '../../lib/usage-series.ts'
import { Choice } from '../../parts/choice.tsx'
import { Curl } from '../../parts/curl.tsx'
import { Section } from '../../parts/page.tsx'
import { Share } from '../../parts/share.tsx'
import { EmptyState, ErrorState, Loading } from '../../parts/states.tsx'
import { useNowMs } from '../../parts/time.tsx'
import { UsageChart } from './usage-chart.tsx'
import { UsageTable } from './usage-table.tsx'

const SPANS = [
  ['7', 'Last 7 days'],
  ['30', 'Last 30 days'],
] as const

export function Usage({ tenantId }: { tenantId: string }) {
  const me = useMe()
  const { data, error, isPending, refetch } = useQuery(usageQuery(me, tenantId))
  const modes = (['live', 'test'] as const).filter((mode) => data?.[mode])
  const [chosen, choose] = useState<Mode>('live')
  const mode = modes.includes(chosen) ? chosen : (modes[0] ?? 'live')
  if (isPending) return <Loading lines={6} />
  const usage = data?.[mode]
  if (!usage) return <ErrorState error={error} onRetry={() => refetch()} />
  return (
    <div className="space-y-5">
      <div className="grid gap-5 lg:grid-cols-2">
        <Section title="This contract year">
          <Year usage={usage} mode={mode} />
        </Section>
        <Section title="Storage">
          <div className="space-y-4">
            {modes.map((each) => {
              const { stored_bytes: used, storage_bytes: of } = data?.[each] ?? usage
              return <Share key={each} label={`Stored, ${each} mode`} used={used} of={of} show={bytes} />
            })}
          </div>
        </Section>
      </div>
      <Days usage={usage} mode={mode} modes={modes} choose={choose} />
      <Curl
        call={
          me.kind === 'tenant'
            ? call('GET', '/v1/tenant/usage')
            : call('GET', '/admin/customers/:customer_id/usage', { param: { customer_id: tenantId } })
        }
      />
    </div>
  )
}

function Year({ usage, mode }: { usage: ModeUsage; mode: Mode }) {
  const nowMs = useNowMs()
  const { admitted_this_year: used, annual_validation_limit: limit, contract_year_start: start } = usage
  if (!limit || mode === 'test') {
    return (
      <p>
        {count(used, 'request')} admitted since {date(start, 'UTC')}. Test mode has no annual limit.
      </p>
    )
  }
  const { endsAt, reachedAt, isReached } = yearOutlook(used, limit, start, nowMs)
  const foresight = isReached
    ? 'The limit is reached: requests get 429 until then'
    : reachedAt === null
      ? 'At this pace it lasts'
      : `At this pace it is used up on ${date(reachedAt, 'UTC')}`
  return (
    <Share
      label="Requests admitted"
      used={used}
      of={limit}
      show={number}
      note={`${foresight}. The next year begins on ${date(endsAt, 'UTC')}.`}
    />
  )
}

interface DaysProps {
  usage: ModeUsage
  mode: Mode
  modes: readonly Mode[]
  choose: (mode: Mode) => void
}

function Days({ usage, mode, modes, choose }: DaysProps) {
  const nowMs = useNowMs()
  const [span, setSpan] = useState<string>('30')
  const series = usageSeries(usage.days, nowMs, Number(span))
  const sums = { admitted: total(series.admitted), limited: total(series.limited), errors: total(series.errors) }
  const isEmpty = sums.admitted + sums.limited + sums.errors === 0
  const actions = (
    <>
      {modes.length > 1 && (
        <Choice
          label="Mode"
          hideLabel
          value={mode}
          options={modes.map((each) => [each, `${each} mode`] as const)}
          onChange={(value) => choose(value as Mode)}
        />
      )}
      <Choice label="Days" hideLabel value={span} options={SPANS} onChange={setSpan} />
    </>
  )
  return (
    <Section title="Requests by day" actions={actions}>
      {isEmpty ? (
        <EmptyState
          icon={<ChartBarIcon size={40} aria-hidden />}
          title="No requests in these days"
          description="The chart begins with the first request of a key of this mode."
        />
      ) : (
        <>
          <dl className="mb-4 flex flex-wrap gap-x-8 gap-y-2">
            <Sum label="admitted" value={sums.admitted} tone="bg-[var(--usage-admitted)]" />
            <Sum label="rate limited (429)" value={sums.limited} tone="bg-[var(--usage-limited)]" />
            <Sum label="failed (5xx)" value={sums.errors} tone="bg-[var(--usage-errors)]" />
          </dl>
          <UsageChart
            series={series}
            label={`Requests by day: ${number(sums.admitted)} admitted, ${number(sums.limited)} rate limited, ${number(sums.errors)} failed`}
          />
          <UsageTable series={series} />
        </>
      )}
    </Section>
  )
}

function Sum({ label, value, tone }: { label: string; value: number; tone: string }) {
  return (
    <div className="flex flex-col-reverse">
      <dt className="flex items-center gap-1.5 text-sm text-kumo-subtle">
        <span className={`size-2.5 rounded-sm ${tone}`} aria-hidden />
        {label}
      </dt>
      <dd className="text-lg font-semibold">{number(value)}</dd>
    </div>
  )
}
