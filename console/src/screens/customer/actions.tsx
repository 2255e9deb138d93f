/**
 * Actions on a customer.
 */
import { Button } from '@cloudflare/kumo/components/button'
import { DropdownMenu } from '@cloudflare/kumo/components/dropdown'
import { useKumoToastManager } from '@cloudflare/kumo/components/toast'
import {
  ArchiveIcon,
  ArrowCounterClockwiseIcon,
  DotsThreeIcon,
  DownloadSimpleIcon,
  EraserIcon,
  GitMergeIcon,
  PencilSimpleIcon,
} from '@phosphor-icons/react'
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import type { V1Customer } from 'roster/client'
import { call } from '../../api/call.ts'
import type { CustomerPlace } from '../../api/customer.ts'
import { placeFor, useMe } from '../../api/me.ts'
import { count } from '../../lib/format.ts'
import { Confirm } from '../../parts/confirm.tsx'
import { GatedButton, useMissing } from '../../parts/gate.tsx'
import { EDIT } from '../../shell/keyboard.tsx'

/** The role or the scope that a change of a customer needs. */
export const CHANGE = { role: 'support', scope: 'customers:write' } as const
const ERASE = { role: 'admin', scope: 'customers:write' } as const

type Asked = 'archive' | 'restore' | 'erase' | null

export function Actions({ customer, place }: { customer: V1Customer; place: CustomerPlace }) {
  const me = useMe()
  const navigate = useNavigate()
  const queries = useQueryClient()
  const toasts = useKumoToastManager()
  const [asked, ask] = useState<Asked>(null)
  const notToChange = useMissing(CHANGE)
  const notToErase = useMissing(ERASE)
  const isArchived = customer.status === 'archived'
  const name = customer.name || customer.external_id
  const children = (customer.children ?? []).filter(({ status }) => status !== 'archived')
  const at = { param: { id: customer.id }, ...placeFor(me, place) }
  const reasonOf = (reason: string) => (reason === '' ? {} : { reason })
  const reason = me.kind === 'operator' ? ('required' as const) : ('optional' as const)
  const done = (title: string) => async () => {
    toasts.add({ title, variant: 'success' })
    await queries.invalidateQueries({ queryKey: ['customer', place.tenantId, place.mode] })
    await queries.invalidateQueries({ queryKey: ['customers'] })
    await queries.invalidateQueries({ queryKey: ['audit'] })
  }
  const common = { open: true, onClose: () => ask(null), reason }
  return (
    <>
      {isArchived ? (
        <GatedButton needs={CHANGE} variant="primary" icon={ArrowCounterClockwiseIcon} onClick={() => ask('restore')}>
          Restore
        </GatedButton>
      ) : (
        <>
          <GatedButton
            {...EDIT}
            needs={CHANGE}
            variant="primary"
            icon={PencilSimpleIcon}
            onClick={() => navigate({ to: '/tenants/$tenantId/$mode/customers/$customerId/edit', params: place })}
          >
            Edit
          </GatedButton>
          <GatedButton
            needs={CHANGE}
            icon={ArchiveIcon}
            refusal={
              children.length > 0 ? `Archive or move its ${count(children.length, 'child', 'children')} first.` : null
            }
            onClick={() => ask('archive')}
          >
            Archive
          </GatedButton>
        </>
      )}
      <DropdownMenu>
        <DropdownMenu.Trigger render={<Button shape="square" aria-label="More actions" icon={DotsThreeIcon} />} />
        <DropdownMenu.Content>
          <DropdownMenu.Item icon={DownloadSimpleIcon} onClick={() => download(customer)}>
            Export as JSON
          </DropdownMenu.Item>
          <DropdownMenu.Item
            icon={GitMergeIcon}
            disabled={notToChange !== null}
            onClick={() =>
              navigate({ to: '/tenants/$tenantId/$mode/customers/$customerId/merge', params: place, search: {} })
            }
          >
            {notToChange === null ? 'Merge into…' : `Merge: ${notToChange}`}
          </DropdownMenu.Item>
          <DropdownMenu.Separator />
          <DropdownMenu.Item
            icon={EraserIcon}
            variant="danger"
            disabled={notToErase !== null}
            onClick={() => ask('erase')}
          >
            {notToErase === null ? 'Erase personal data…' : `Erase: ${notToErase}`}
          </DropdownMenu.Item>
        </DropdownMenu.Content>
      </DropdownMenu>
      {asked === 'archive' && (
        <Confirm
          {...common}
          title={`Archive ${name}?`}
          consequences={[
            '1 customer is archived: it stays readable by its id, and lists leave it out.',
            `The external id ${customer.external_id} is free for another customer.`,
            'Webhooks hear of it. Restore takes it back.',
          ]}
          confirmLabel="Archive"
          destructive
          makeCall={(text) => call('DELETE', '/v1/customers/:id', { ...at, ...reasonOf(text) })}
          onDone={done(`${name} is archived`)}
        />
      )}
      {asked === 'restore' && (
        <Confirm
          {...common}
          title={`Restore ${name}?`}
          consequences={[
            `1 customer comes back with its external id ${customer.external_id}, unless another one has taken it meanwhile.`,
            'Webhooks hear of it.',
          ]}
          confirmLabel="Restore"
          makeCall={(text) => call('POST', '/v1/customers/:id/restore', { ...at, ...reasonOf(text) })}
          onDone={done(`${name} is restored`)}
        />
      )}
      {asked === 'erase' && (
        <Confirm
          {...common}
          title={`Erase the personal data of ${name}?`}
          consequences={[
            'Name, addresses, metadata and former ids of 1 customer are gone for good: from the record, its events, the audit and all caches.',
            'Its id stays, so that nothing else refers to nobody. Nobody can undo this, Cloudflare’s backups aside.',
            children.length > 0
              ? `${count(children.length, 'child', 'children')} of it must be archived or moved first.`
              : 'No other customer changes.',
          ]}
          typed={{ value: customer.id, label: 'Type the id of the customer' }}
          confirmLabel="Erase for good"
          destructive
          makeCall={(text) => call('POST', '/v1/customers/:id/erase', { ...at, ...reasonOf(text) })}
          onDone={({ body }) => {
            done(`Erased: ${count(body.rows_total, 'row')} lost personal data`)()
            navigate({ to: '/', search: me.kind === 'operator' ? { tenant: place.tenantId, mode: place.mode } : {} })
          }}
        />
      )}
    </>
  )
}

/** Saves what is shown as a file, for somebody who asks what is stored about them. */
function download(customer: V1Customer): void {
  const url = URL.createObjectURL(new Blob([JSON.stringify(customer, null, 2)], { type: 'application/json' }))
  const link = document.createElement('a')
  link.href = url
  link.download = `${customer.id}.json`
  link.click()
  URL.revokeObjectURL(url)
}
