/**
 * The database that a tenant is in, and its move to another one. Shown only where there are several.
 */
import { ArrowsLeftRightIcon } from '@phosphor-icons/react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { call } from '../../api/call.ts'
import { healthQuery } from '../../api/health.ts'
import { moveQuery, type TenantMove } from '../../api/tenant.ts'
import { bytes, count, databaseName } from '../../lib/format.ts'
import { Choice } from '../../parts/choice.tsx'
import { Confirm } from '../../parts/confirm.tsx'
import { GatedButton } from '../../parts/gate.tsx'
import { Section } from '../../parts/page.tsx'
import { Time } from '../../parts/time.tsx'

interface Props {
  tenant: { customer_id: string; company_name: string; database: number }
  notify: (text: string) => void
}

/** The states in which a move can be taken back. */
const EARLY: readonly TenantMove['status'][] = ['copying', 'catching_up', 'frozen']

const SAYS: Record<TenantMove['status'], string> = {
  copying: 'Its rows are being copied. Reads and writes go on.',
  catching_up: 'Changes since the copy are being copied. Reads and writes go on.',
  frozen: 'The last changes are being copied. Writes wait for a moment.',
  flipped: 'It is there. Writes begin when no reader looks for it in the old place.',
  cleaning: 'It is there. What it has left behind is deleted an hour later.',
  done: 'It is there, and nothing is left behind.',
  aborting: 'The move is being taken back: the copy is deleted.',
  aborted: 'The move was taken back.',
}

export function Database({ tenant, notify }: Props) {
  const { customer_id: tenantId, database } = tenant
  const [asked, ask] = useState<'move' | 'abort' | null>(null)
  const { data: health } = useQuery(healthQuery)
  const { data: move } = useQuery(moveQuery(tenantId))
  if (!health || (health.databases.length === 1 && !move)) return null
  const isUnderWay = move && move.ended_at === null
  // The tenant may have been read before it was there.
  const here = move?.flipped_at ? move.to : database
  return (
    <Section
      title={`Database ${databaseName(here)}`}
      actions={
        move && EARLY.includes(move.status) ? (
          <GatedButton needs={{ role: 'admin' }} size="sm" onClick={() => ask('abort')}>
            Take the move back
          </GatedButton>
        ) : (
          !isUnderWay && (
            <GatedButton needs={{ role: 'admin' }} size="sm" icon={ArrowsLeftRightIcon} onClick={() => ask('move')}>
              Move
            </GatedButton>
          )
        )
      }
    >
      {move ? (
        <div className="space-y-1">
          <p role="status">
            {databaseName(move.from)} → {databaseName(move.to)}: {SAYS[move.status]}
          </p>
          <p className="text-kumo-subtle">
            {count(move.rows_copied, 'row')} copied, {move.rows_copied_again} again. Begun by {move.started_by},{' '}
            <Time at={move.started_at} />.
          </p>
          {move.problem && <p className="text-kumo-danger">{move.problem}</p>}
        </div>
      ) : (
        <p className="text-kumo-subtle">It has never been moved.</p>
      )}
      <MoveDialog
        tenant={tenant}
        databases={health.databases}
        isOpen={asked === 'move'}
        onClose={() => ask(null)}
        notify={notify}
      />
      <AbortDialog tenant={tenant} isOpen={asked === 'abort'} onClose={() => ask(null)} notify={notify} />
    </Section>
  )
}

type DialogProps = Props & { isOpen: boolean; onClose: () => void }

function MoveDialog({
  tenant,
  databases,
  isOpen,
  onClose,
  notify,
}: DialogProps & { databases: readonly { name: string; bytes: number }[] }) {
  const others = databases.flatMap(({ bytes: used }, number) => (number === tenant.database ? [] : [{ number, used }]))
  const [chosen, choose] = useState<number | null>(null)
  const roomiest = others.toSorted((a, b) => a.used - b.used)[0]?.number ?? 0
  const to = chosen ?? roomiest
  const refresh = useRefresh(tenant.customer_id)
  return (
    <Confirm
      open={isOpen}
      onClose={onClose}
      title={`Move ${tenant.company_name}`}
      consequences={[
        `Everything it has is copied to ${databaseName(to)}. Reads and writes go on meanwhile.`,
        'At the end its writes wait for some seconds. None is lost.',
        'Until it is there, the move can be taken back.',
      ]}
      confirmLabel={`Move it to ${databaseName(to)}`}
      reason="required"
      makeCall={(reason) =>
        call('POST', '/admin/customers/:customer_id/move', {
          param: { customer_id: tenant.customer_id },
          body: { database: to },
          reason,
        })
      }
      onDone={() => {
        notify('The move has begun.')
        refresh()
      }}
    >
      <Choice
        label="To"
        value={String(to)}
        options={others.map(({ number, used }) => [String(number), `${databaseName(number)}, ${bytes(used)} used`])}
        onChange={(value) => choose(Number(value))}
      />
    </Confirm>
  )
}

function AbortDialog({ tenant, isOpen, onClose, notify }: DialogProps) {
  const refresh = useRefresh(tenant.customer_id)
  const consequences: ReactNode[] = [`The copy is deleted. It stays in ${databaseName(tenant.database)}.`]
  return (
    <Confirm
      open={isOpen}
      onClose={onClose}
      title={`Take the move of ${tenant.company_name} back`}
      consequences={consequences}
      confirmLabel="Take it back"
      reason="required"
      makeCall={(reason) =>
        call('DELETE', '/admin/customers/:customer_id/move', { param: { customer_id: tenant.customer_id }, reason })
      }
      onDone={() => {
        notify('The move is being taken back.')
        refresh()
      }}
    />
  )
}

function useRefresh(tenantId: string) {
  const queries = useQueryClient()
  return () => {
    queries.invalidateQueries({ queryKey: ['tenant', tenantId] })
    queries.invalidateQueries({ queryKey: ['move', tenantId] })
  }
}
