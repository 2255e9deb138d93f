/**
 * Imports a file of customers: the columns with samples, a dry run, the import, and what was refused as a file to correct.
 */
import { Button } from '@cloudflare/kumo/components/button'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import type { Mode } from '../../api/call.ts'
import { useMe } from '../../api/me.ts'
import { tenantQuery } from '../../api/tenant.ts'
import { bytes } from '../../lib/format.ts'
import { mayCheck, mayContinue, mayImport } from '../../lib/import-steps.ts'
import { Choice } from '../../parts/choice.tsx'
import { GatedButton } from '../../parts/gate.tsx'
import { Page, Section } from '../../parts/page.tsx'
import { ReasonField } from '../../parts/reason.tsx'
import { Failure } from '../../parts/states.tsx'
import { ModeBadge } from '../../parts/status.tsx'
import { UndoButton } from '../undo/undo.tsx'
import { ColumnTable } from './columns.tsx'
import { ImportCommand } from './command.tsx'
import { FilePicker } from './file-picker.tsx'
import { PickTenant } from './pick-tenant.tsx'
import { Running, Summary } from './results.tsx'
import { useImport } from './use-import.ts'

const route = getRouteApi('/import')
const NEEDS = { role: 'support', scope: 'customers:write' } as const

export function Import() {
  const me = useMe()
  const { tenant, mode } = route.useSearch()
  if (me.kind === 'tenant') return <Into tenantId={me.tenantId} mode={me.mode} />
  if (tenant === undefined) return <PickTenant />
  return <Into key={`${tenant} ${mode}`} tenantId={tenant} mode={mode === 'test' ? 'test' : 'live'} />
}

function Into({ tenantId, mode }: { tenantId: string; mode: Mode }) {
  const me = useMe()
  const navigate = useNavigate()
  const { data: tenant } = useQuery({ ...tenantQuery(tenantId), enabled: me.kind === 'operator' })
  const name = me.kind === 'tenant' ? me.name : (tenant?.company_name ?? '…')
  const importing = useImport({ tenantId, mode })
  const { state, problem } = importing
  const isRunning = state.at === 'running'
  const refusal = !mayCheck(state)
    ? 'Choose the columns first: one has to be the external id.'
    : me.kind === 'operator' && importing.reason.trim() === ''
      ? 'Write the reason first: the audit keeps it with each customer.'
      : null
  return (
    <Page
      title="Import"
      beside={<ModeBadge mode={mode} />}
      below={
        <>
          Into{' '}
          <strong className="font-medium" dir="auto">
            {name}
          </strong>
          .{' '}
          {me.kind === 'operator' && (
            <Link to="/import" className="underline">
              Another tenant
            </Link>
          )}
        </>
      }
      actions={
        me.kind === 'operator' && (
          <Choice
            label="Mode"
            hideLabel
            value={mode}
            disabled={isRunning}
            options={[
              ['live', 'live mode'],
              ['test', 'test mode'],
            ]}
            onChange={(next) => navigate({ to: '/import', search: { tenant: tenantId, mode: next } })}
          />
        )
      }
    >
      <div className="space-y-5">
        {problem && <Failure error={new Error(problem)} />}
        {state.at === 'empty' && <FilePicker onPick={importing.pick} />}
        {state.at !== 'empty' && (
          <Section
            title={state.file.name}
            actions={
              <>
                <span className="text-sm text-kumo-subtle">{bytes(state.file.size)}</span>
                <Button size="sm" disabled={isRunning} onClick={importing.leave}>
                  Another file
                </Button>
              </>
            }
          >
            {state.at === 'columns' && state.file.format === 'csv' && (
              <ColumnTable columns={state.columns} onMap={importing.map} />
            )}
            {state.at === 'columns' && state.file.format === 'ndjson' && (
              <p>Each line is a customer as JSON, with the fields of the API.</p>
            )}
            {state.at === 'columns' && me.kind === 'operator' && (
              <div className="mt-5 max-w-xl">
                <ReasonField value={importing.reason} onChange={importing.setReason} required />
              </div>
            )}
            {state.at === 'running' && <Running state={state} onStop={importing.stop} />}
            {state.at === 'ended' && <Summary state={state} rejects={importing.rejects} />}
            <div className="mt-5 flex flex-wrap items-center justify-end gap-2">
              {state.at === 'ended' && !state.isDryRun && (
                <UndoButton place={{ tenantId, mode }} {...importing.undo()} />
              )}
              {state.at === 'ended' && <Button onClick={importing.back}>Back to the columns</Button>}
              {state.at === 'columns' && (
                <GatedButton needs={NEEDS} refusal={refusal} variant="primary" onClick={() => importing.start(true)}>
                  Try it: a dry run
                </GatedButton>
              )}
              {mayImport(state) && (
                <GatedButton needs={NEEDS} variant="primary" onClick={() => importing.start(false)}>
                  Import {state.at === 'ended' && state.progress.counts.error > 0 ? 'the good lines' : 'it'}
                </GatedButton>
              )}
              {mayContinue(state) && (
                <GatedButton needs={NEEDS} variant="primary" onClick={importing.continue}>
                  Continue
                </GatedButton>
              )}
            </div>
          </Section>
        )}
        {state.at !== 'empty' && (
          <ImportCommand
            state={state}
            tenantId={tenantId}
            mode={mode}
            reason={importing.reason}
            importId={importing.importId}
          />
        )}
      </div>
    </Page>
  )
}
