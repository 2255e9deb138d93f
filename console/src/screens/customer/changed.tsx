/**
 * A change of a customer in its timeline.
 */
import {
  ArchiveIcon,
  ArrowCounterClockwiseIcon,
  EraserIcon,
  GitMergeIcon,
  PencilSimpleIcon,
  PlusCircleIcon,
} from '@phosphor-icons/react'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import type { CustomerPlace } from '../../api/customer.ts'
import { sentenceOf } from '../../lib/changes.ts'
import type { TimelineEntry } from '../../lib/customer-timeline.ts'
import { undoOfRequest } from '../../lib/undo-run.ts'
import { Diff } from '../../parts/diff.tsx'
import { GatedButton } from '../../parts/gate.tsx'
import { Id } from '../../parts/id.tsx'
import { TEXT_LINK } from '../../parts/text-link.ts'
import { UndoButton } from '../undo/undo.tsx'
import { CHANGE } from './actions.tsx'
import { useActorName } from './actor.tsx'
import { Line, type LineProps } from './line.tsx'
import { Revert } from './revert.tsx'

const ICONS: Record<string, LineProps['icon']> = {
  'customer.merged': GitMergeIcon,
  'customer.created': PlusCircleIcon,
  'customer.archived': ArchiveIcon,
  'customer.restored': ArrowCounterClockwiseIcon,
  'customer.erased': EraserIcon,
}

interface Props {
  entry: Extract<TimelineEntry, { kind: 'change' }>
  place: CustomerPlace
  /** Whether the customer can be shown, and made again, as it was after this change. */
  isPast: boolean
}

/** A change with its fields before and after, and what can be done about it. */
export function Changed({ entry: { event, changes, reason, at }, place, isPast }: Props) {
  const [isReverting, revert] = useState(false)
  const nameOf = useActorName(place.tenantId)
  const { actor, request_id, version, customer } = event.data
  const after = customer as Record<string, unknown> | null
  const sentence = sentenceOf({ type: event.type, actor: nameOf(actor), reason, changes, before: null, after })
  return (
    <Line icon={ICONS[event.type] ?? PencilSimpleIcon} sentence={sentence} at={at}>
      {changes.length > 0 && <Diff changes={changes} />}
      {reason !== null && (
        <p>
          <span className="text-kumo-subtle">Reason:</span> <span dir="auto">{reason}</span>
        </p>
      )}
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] items-center gap-x-4 gap-y-1 text-sm">
        <Detail label="Version">{version}</Detail>
        <Detail label="Actor">
          <Id value={actor} />
        </Detail>
        <Detail label="Event">
          <Id value={event.id} />
        </Detail>
        {request_id !== null && (
          <Detail label="Request">
            <Id value={request_id} whole />
          </Detail>
        )}
      </dl>
      <div className="flex flex-wrap items-center gap-2">
        {isPast && (
          <>
            <GatedButton needs={CHANGE} size="sm" icon={ArrowCounterClockwiseIcon} onClick={() => revert(true)}>
              Revert to this…
            </GatedButton>
            <Link
              to="/tenants/$tenantId/$mode/customers/$customerId"
              params={place}
              search={{ version }}
              className={TEXT_LINK}
            >
              See it as of then
            </Link>
          </>
        )}
        {request_id !== null && <UndoButton place={place} {...undoOfRequest(request_id, at)} />}
      </div>
      <Payload value={event} />
      {isReverting && <Revert place={place} version={version} onClose={() => revert(false)} />}
    </Line>
  )
}

function Detail({ label, children }: { label: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-kumo-subtle">{label}</dt>
      <dd className="min-w-0">{children}</dd>
    </>
  )
}

/** The payload as webhooks send it. */
function Payload({ value }: { value: unknown }) {
  return (
    <details>
      <summary className="cursor-pointer text-sm text-kumo-subtle hover:text-kumo-default">Payload</summary>
      <pre className="mt-2 max-h-96 overflow-y-auto rounded-md bg-kumo-recessed p-3 font-mono text-xs wrap-anywhere whitespace-pre-wrap">
        {JSON.stringify(value, null, 2)}
      </pre>
    </details>
  )
}
