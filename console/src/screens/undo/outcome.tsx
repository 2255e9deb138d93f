/**
 * Shows what an undo did, or would do, and what is in its way.
 */
import { Link } from '@tanstack/react-router'
import type { Place } from '../../api/call.ts'
import { useMe } from '../../api/me.ts'
import { count, number } from '../../lib/format.ts'
import { TEXT_LINK } from '../../parts/text-link.ts'
import { Tiles } from '../../parts/tiles.tsx'
import type { UndoState } from './use-undo.ts'

type Props = { state: Exclude<UndoState, { at: 'asked' }>; place: Place; company: string }

export function Outcome({ state, place, company }: Props) {
  const me = useMe()
  const { isDryRun, progress } = state
  const { counts, conflicts, undoId, stopped } = progress
  return (
    <div className="space-y-3">
      <div role="status">
        <p className="font-medium">{titleOf(state, company)}</p>
        {stopped && <p className="text-kumo-subtle">{stopped}.</p>}
      </div>
      <Tiles
        tiles={[
          { name: 'reverted', label: isDryRun ? 'would be undone' : 'undone', value: counts.reverted },
          { name: 'unchanged', label: 'need nothing', value: counts.unchanged },
          {
            name: 'conflict',
            label: isDryRun ? 'would be left alone' : 'left alone',
            value: counts.conflict,
            isBad: true,
          },
        ]}
      />
      {conflicts.length > 0 && (
        <ul
          aria-label="Left alone"
          className="max-h-60 divide-y divide-kumo-hairline overflow-y-auto rounded-lg ring ring-kumo-line"
        >
          {conflicts.map(({ id, externalId, why }) => (
            <li key={id} className="px-3 py-2">
              <Link
                to="/tenants/$tenantId/$mode/customers/$customerId"
                params={{ tenantId: place.tenantId, mode: place.mode, customerId: id }}
                className={TEXT_LINK}
              >
                {externalId || id}
              </Link>
              <span className="block text-kumo-subtle wrap-anywhere">{why}</span>
            </li>
          ))}
        </ul>
      )}
      {conflicts.length < counts.conflict && (
        <p className="text-sm text-kumo-subtle">The first {number(conflicts.length)} of them.</p>
      )}
      {state.at === 'ended' && !isDryRun && undoId !== null && me.kind === 'operator' && (
        <p>
          <Link to="/audit" search={{ request_id: undoId }} className={TEXT_LINK}>
            See it in the audit
          </Link>
          , from where it can be undone too.
        </p>
      )}
    </div>
  )
}

function titleOf({ at, isDryRun, progress: { counts, stopped } }: Props['state'], company: string): string {
  const seen = counts.reverted + counts.unchanged + counts.conflict
  if (at === 'running') return `${isDryRun ? 'Looking' : 'Undoing'}: ${count(seen, 'customer')} so far`
  if (stopped !== null) return isDryRun ? 'The dry run did not end' : `Stopped after ${count(seen, 'customer')}`
  if (!isDryRun) return `Undone: ${count(counts.reverted, 'customer')} of ${company}`
  return counts.reverted === 0 ? 'Nothing would change' : 'Dry run: nothing was changed yet'
}
