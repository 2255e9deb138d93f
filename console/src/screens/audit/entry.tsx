/**
 * An entry of the audit: one sentence, which opens to the diff and all that is known about it.
 */
import { CaretRightIcon } from '@phosphor-icons/react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { tenantQuery } from '../../api/tenant.ts'
import { type Change, whatHappened } from '../../lib/changes.ts'
import { exactTime } from '../../lib/format.ts'
import { undoOfRequest } from '../../lib/undo-run.ts'
import { Diff } from '../../parts/diff.tsx'
import { Id } from '../../parts/id.tsx'
import { ModeBadge } from '../../parts/status.tsx'
import { Time } from '../../parts/time.tsx'
import { ROW } from '../../shell/keyboard.tsx'
import { Actor, OperatorName } from '../customer/actor.tsx'
import { UndoButton } from '../undo/undo.tsx'

export interface ShownEntry {
  id: string
  type: string
  tenant_id: string | null
  mode: 'live' | 'test' | null
  customer_id: string | null
  key_id: string | null
  actor: string
  role?: string | null
  session_id?: string | null
  request_id: string | null
  reason: string | null
  before: Record<string, unknown> | null
  after: Record<string, unknown> | null
  changes?: readonly Change[]
  created_at: string
}

interface Props {
  entry: ShownEntry
  isOpen: boolean
  onToggle: (isOpen: boolean) => void
}

export function Entry({ entry, isOpen, onToggle }: Props) {
  const { tenant_id: tenantId, mode, actor, reason, created_at } = entry
  return (
    <li>
      <button
        {...ROW}
        type="button"
        aria-expanded={isOpen}
        className="flex w-full cursor-pointer flex-wrap items-center gap-x-3 gap-y-1 px-4 py-2.5 text-left hover:bg-kumo-tint/60 focus-visible:bg-kumo-tint"
        onClick={() => onToggle(!isOpen)}
      >
        <CaretRightIcon size={14} className={`shrink-0 text-kumo-subtle ${isOpen ? 'rotate-90' : ''}`} aria-hidden />
        <span className="min-w-0 flex-1">
          <span className="block break-words" dir="auto">
            {whatHappened({ ...entry, changes: entry.changes ?? [] })}
          </span>
          <span className="block text-sm break-words text-kumo-subtle">
            by {tenantId === null ? <OperatorName id={actor} /> : <Actor id={actor} tenantId={tenantId} />}
            {reason !== null && <> · {reason}</>}
            {tenantId !== null && (
              <>
                {' '}
                · <TenantName tenantId={tenantId} />
              </>
            )}
          </span>
        </span>
        {mode === 'test' && <ModeBadge mode={mode} />}
        <Time at={created_at} />
      </button>
      {isOpen && <Details entry={entry} />}
    </li>
  )
}

function Details({ entry }: { entry: ShownEntry }) {
  const { changes = [], tenant_id: tenantId, mode, customer_id: customerId } = entry
  const facts: [string, ReactNode][] = [
    ['When', exactTime(entry.created_at)],
    [
      'Kind',
      <code key="type" className="font-mono text-[0.92em]">
        {entry.type}
      </code>,
    ],
    [
      'Who',
      <Link key="actor" to="/audit" search={{ actor: entry.actor }} className="underline">
        {entry.actor}
      </Link>,
    ],
    ...(entry.role ? [['Role', entry.role] as [string, ReactNode]] : []),
    ...(entry.session_id ? [['Session', <Id key="session" value={entry.session_id} />] as [string, ReactNode]] : []),
    ...(tenantId === null
      ? []
      : [
          [
            'Tenant',
            <Link key="tenant" to="/tenants/$tenantId" params={{ tenantId }} className="underline">
              <TenantName tenantId={tenantId} />
            </Link>,
          ] as [string, ReactNode],
        ]),
    ...(tenantId === null || customerId === null || mode === null
      ? []
      : [
          [
            'Customer',
            <Link
              key="customer"
              to="/tenants/$tenantId/$mode/customers/$customerId"
              params={{ tenantId, mode, customerId }}
              className="underline"
            >
              {customerId}
            </Link>,
          ] as [string, ReactNode],
        ]),
    ...(entry.key_id === null ? [] : [['Key', <Id key="key" value={entry.key_id} />] as [string, ReactNode]]),
    ...(entry.request_id === null
      ? []
      : [
          [
            'Request',
            <span key="request" className="flex flex-wrap items-center gap-x-3">
              <Id value={entry.request_id} whole />
              <Link to="/audit" search={{ request_id: entry.request_id }} className="underline">
                all that it changed
              </Link>
            </span>,
          ] as [string, ReactNode],
        ]),
  ]
  return (
    <div className="space-y-4 bg-kumo-recessed/50 px-4 py-4 md:pl-11">
      {changes.length > 0 ? (
        <Diff changes={[...changes]} />
      ) : (
        <p className="text-kumo-subtle">No field has another value: it is the fact that is recorded.</p>
      )}
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-6 gap-y-1.5">
        {facts.map(([label, value]) => (
          <div key={label} className="contents">
            <dt className="text-kumo-subtle">{label}</dt>
            <dd className="min-w-0 wrap-anywhere">{value}</dd>
          </div>
        ))}
      </dl>
      {tenantId !== null && mode !== null && customerId !== null && entry.request_id !== null && (
        <UndoButton place={{ tenantId, mode }} {...undoOfRequest(entry.request_id, entry.created_at)} />
      )}
    </div>
  )
}

/** The name of a tenant, from the cache if another row has asked for it. */
function TenantName({ tenantId }: { tenantId: string }) {
  const { data } = useQuery({ ...tenantQuery(tenantId), staleTime: 300_000 })
  return <span dir="auto">{data?.company_name ?? tenantId.slice(0, 8)}</span>
}
