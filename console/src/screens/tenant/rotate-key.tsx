/**
 * The dialog that replaces a key by a new one with the same name, mode and scopes.
 */
import { useState } from 'react'
import { call } from '../../api/call.ts'
import type { TenantKey } from '../../api/routes.ts'
import { Choice } from '../../parts/choice.tsx'
import { Confirm } from '../../parts/confirm.tsx'

interface Props {
  tenantId: string
  /** The key to replace; null closes the dialog. */
  rotated: TenantKey | null
  onClose: () => void
  onMade: (text: string) => void
}

const OVERLAPS = [
  ['0', 'none: it stops at once'],
  ['3600', 'an hour'],
  ['86400', 'a day'],
  ['604800', 'a week'],
] as const

export function RotateKey({ tenantId, rotated, onClose, onMade }: Props) {
  const [overlap, setOverlap] = useState('86400')
  return (
    <Confirm
      open={rotated !== null}
      onClose={onClose}
      title={`Rotate ${rotated?.name ?? ''}`}
      consequences={[
        'A new key with the same name, mode and scopes is made, and shown once.',
        <span key="overlap" className="inline-flex flex-wrap items-center gap-2">
          The old key works on for
          <Choice label="Overlap" hideLabel value={overlap} options={OVERLAPS} onChange={setOverlap} className="w-52" />
        </span>,
      ]}
      reason="required"
      confirmLabel="Rotate it"
      makeCall={(reason) =>
        call('POST', '/admin/customers/:customer_id/keys/:key_id/rotate', {
          param: { customer_id: tenantId, key_id: rotated?.key_id ?? '' },
          body: { overlap_seconds: Number(overlap) },
          reason,
        })
      }
      onDone={({ body }) => onMade(body.key)}
    />
  )
}
