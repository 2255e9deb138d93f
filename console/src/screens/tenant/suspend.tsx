/**
 * Suspends a tenant or admits it again, with what that does in numbers.
 */
import { PauseIcon, PlayIcon } from '@phosphor-icons/react'
import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../../api/call.ts'
import { useMe } from '../../api/me.ts'
import { endpointsQuery, keysQuery } from '../../api/tenants.ts'
import { count } from '../../lib/format.ts'
import { Confirm } from '../../parts/confirm.tsx'
import { GatedButton } from '../../parts/gate.tsx'

interface Props {
  tenant: { customer_id: string; company_name: string; status: string; etag: string | null }
  notify: (text: string) => void
}

export function SuspendButton({ tenant, notify }: Props) {
  const [isOpen, open] = useState(false)
  const queries = useQueryClient()
  const isActive = tenant.status === 'active'
  const consequences = useConsequences(tenant.customer_id, isOpen)
  const status = isActive ? 'suspended' : 'active'
  return (
    <>
      <GatedButton
        needs={{ role: 'admin' }}
        variant={isActive ? 'secondary-destructive' : 'primary'}
        icon={isActive ? PauseIcon : PlayIcon}
        onClick={() => open(true)}
      >
        {isActive ? 'Suspend' : 'Reactivate'}
      </GatedButton>
      <Confirm
        open={isOpen}
        onClose={() => open(false)}
        title={`${isActive ? 'Suspend' : 'Reactivate'} ${tenant.company_name}`}
        consequences={isActive ? consequences.suspend : consequences.reactivate}
        {...(isActive && { typed: { value: tenant.company_name, label: 'Type the name of the company' } })}
        reason="required"
        confirmLabel={isActive ? 'Suspend it' : 'Reactivate it'}
        destructive={isActive}
        makeCall={(reason) =>
          call('PUT', '/admin/customers/:customer_id', {
            param: { customer_id: tenant.customer_id },
            body: { status },
            reason,
            ...(tenant.etag && { ifMatch: tenant.etag }),
          })
        }
        onDone={() => {
          notify(isActive ? 'Suspended: its keys are refused everywhere.' : 'Reactivated: its keys are admitted again.')
          queries.invalidateQueries({ queryKey: ['tenant', tenant.customer_id] })
          queries.invalidateQueries({ queryKey: ['tenants'] })
        }}
      />
    </>
  )
}

function useConsequences(tenantId: string, isWanted: boolean) {
  const me = useMe()
  const { data: keys } = useInfiniteQuery({ ...keysQuery(me, tenantId), enabled: isWanted })
  const { data: endpoints } = useQuery({ ...endpointsQuery(me, tenantId), enabled: isWanted })
  const active = keys?.pages.flatMap(({ items }) => items).filter(({ status }) => status === 'active') ?? []
  const atLeast = keys?.pages.at(-1)?.next ? 'At least ' : ''
  const enabled = endpoints?.filter((endpoint) => endpoint.enabled) ?? []
  const keyText = keys ? `${atLeast}${count(active.length, 'key')}` : 'All keys'
  const endpointText = endpoints ? count(enabled.length, 'webhook endpoint') : 'Its webhook endpoints'
  const isOne = enabled.length === 1 && endpoints
  return {
    suspend: [
      `${keyText} stop${keys && active.length === 1 ? 's' : ''} working at once: every request gets 403, reads too.`,
      `${endpointText} ${isOne ? 'is' : 'are'} held: deliveries wait, and none is lost.`,
      'Its customers stay as they are. Operators can still read and correct them.',
    ],
    reactivate: [
      `${keyText} work${keys && active.length === 1 ? 's' : ''} again at once.`,
      `${endpointText} get${isOne ? 's' : ''} the deliveries that waited, in their order.`,
    ],
  }
}
