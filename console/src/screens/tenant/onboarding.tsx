/**
 * The steps that follow the creation of a customer, as the tenant has set them.
 */
import { Badge } from '@cloudflare/kumo/components/badge'
import { useQuery } from '@tanstack/react-query'
import { call } from '../../api/call.ts'
import { useMe } from '../../api/me.ts'
import { onboardingQuery, type ShownStep } from '../../api/tenants.ts'
import { duration } from '../../lib/format.ts'
import { Curl } from '../../parts/curl.tsx'
import { Section } from '../../parts/page.tsx'
import { ErrorState, Loading } from '../../parts/states.tsx'
import { Time } from '../../parts/time.tsx'
import { Actor } from '../customer/actor.tsx'

export function Onboarding({ tenantId }: { tenantId: string }) {
  const me = useMe()
  const { data, error, isPending, refetch } = useQuery(onboardingQuery(me, tenantId))
  if (isPending) return <Loading />
  if (!data) return <ErrorState error={error} onRetry={() => refetch()} />
  const shown = (['live', 'test'] as const).flatMap((mode) => {
    const settings = data[mode]
    return settings ? [{ mode, settings }] : []
  })
  return (
    <div className="space-y-5">
      {shown.map(({ mode, settings }) => {
        const workflows = Object.entries(settings.workflows)
        return (
          <Section
            key={mode}
            title={`${mode === 'live' ? 'Live' : 'Test'} mode`}
            actions={
              settings.updated_at !== null && (
                <span className="text-sm text-kumo-subtle">
                  set <Time at={settings.updated_at} />
                  {settings.updated_by !== null && (
                    <>
                      {' '}
                      by <Actor id={settings.updated_by} tenantId={tenantId} />
                    </>
                  )}
                </span>
              )
            }
          >
            {workflows.length === 0 ? (
              <p className="text-kumo-subtle">
                No steps: a new customer is there at once, and nothing follows. The tenant sets steps with{' '}
                <code className="font-mono text-[0.92em] wrap-anywhere">PUT /v1/settings/customer_onboarding</code>.
              </p>
            ) : (
              <div className="space-y-5">
                {workflows.map(([name, { steps }]) => (
                  <div key={name}>
                    <h3 className="mb-2 font-medium">{name}</h3>
                    <ol className="space-y-2">
                      {steps.map((step, at) => (
                        // biome-ignore lint/suspicious/noArrayIndexKey: the order is what a step is
                        <li key={at} className="flex gap-x-3">
                          <span className="w-5 shrink-0 text-right text-kumo-subtle">{at + 1}</span>
                          <span className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1">
                            <Badge variant="secondary">{step.type}</Badge>
                            {step.name !== null && <span className="font-medium">{step.name}</span>}
                            <span className="min-w-0 wrap-anywhere text-kumo-subtle">{detailOf(step)}</span>
                          </span>
                        </li>
                      ))}
                    </ol>
                  </div>
                ))}
              </div>
            )}
          </Section>
        )
      })}
      <Curl
        call={
          me.kind === 'tenant'
            ? call('GET', '/v1/settings/customer_onboarding')
            : call('GET', '/admin/customers/:customer_id/settings/customer_onboarding', {
                param: { customer_id: tenantId },
              })
        }
      />
    </div>
  )
}

function detailOf({ url, seconds, signal, timeout_seconds: timeout, metadata }: ShownStep): string {
  if (url !== undefined) return `calls ${url}`
  if (signal !== undefined) return `waits for ${signal}, at most ${duration(timeout ?? 0)}`
  if (seconds !== undefined) return `waits ${duration(seconds)}`
  return metadata === undefined ? '' : `sets ${Object.keys(metadata).join(', ')}`
}
