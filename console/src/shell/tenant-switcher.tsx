/**
 * Says which tenant the screen is about, and goes to another one: find as you type, and the place stays.
 */
import { Badge } from '@cloudflare/kumo/components/badge'
import { Dialog } from '@cloudflare/kumo/components/dialog'
import { Input } from '@cloudflare/kumo/components/input'
import { useSidebar } from '@cloudflare/kumo/components/sidebar'
import { CaretUpDownIcon } from '@phosphor-icons/react'
import { useQuery } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { useDeferredValue, useState } from 'react'
import { call } from '../api/call.ts'
import { keepRows } from '../api/keep-rows.ts'
import { send } from '../api/send.ts'
import { tenantQuery } from '../api/tenant.ts'
import { withTenant } from '../lib/places.ts'
import { useHere } from './place.ts'

const SHOWN_MAX = 8

export function TenantSwitcher() {
  const [isOpen, open] = useState(false)
  const { tenantId } = useHere()
  const { setOpenMobile } = useSidebar()
  const { data: tenant } = useQuery({ ...tenantQuery(tenantId ?? ''), enabled: tenantId !== null })
  const name = tenantId === null ? 'All tenants' : (tenant?.company_name ?? '…')
  return (
    <div className="px-2 pt-1 pb-2">
      <button
        type="button"
        className="flex w-full min-w-0 cursor-pointer items-center justify-between gap-2 rounded-md bg-kumo-base px-3 py-2 text-left ring ring-kumo-line hover:bg-kumo-tint"
        aria-haspopup="dialog"
        onClick={() => open(true)}
      >
        <span className="min-w-0">
          <span className="block text-xs text-kumo-subtle">Tenant</span>
          <span className="block truncate font-medium" dir="auto">
            {name}
          </span>
        </span>
        <CaretUpDownIcon size={16} className="shrink-0 text-kumo-subtle" aria-hidden />
      </button>
      <Dialog.Root open={isOpen} onOpenChange={open}>
        <Dialog size="base" className="p-5">
          <Dialog.Title className="mb-3 text-lg font-semibold">Switch tenant</Dialog.Title>
          {isOpen && (
            <Choice
              onChosen={() => {
                open(false)
                setOpenMobile(false)
              }}
            />
          )}
        </Dialog>
      </Dialog.Root>
    </div>
  )
}

function Choice({ onChosen }: { onChosen: () => void }) {
  const router = useRouter()
  const { mode } = useHere()
  const [text, setText] = useState('')
  const search = useDeferredValue(text.trim())
  const { data } = useQuery({
    queryKey: ['tenants', 'switcher', search],
    placeholderData: keepRows('tenants', 'switcher'),
    queryFn: ({ signal }) => send(call('GET', '/admin/customers', { query: { search, limit: SHOWN_MAX } }), signal),
  })
  const go = (tenantId: string | null) => {
    onChosen()
    router.history.push(withTenant(router.state.location.href, tenantId, mode))
  }
  const rows = [
    ...(search === '' ? [{ id: null, name: 'All tenants', isSuspended: false }] : []),
    ...(data?.items ?? []).map(({ customer_id, company_name, status }) => ({
      id: customer_id as string | null,
      name: company_name,
      isSuspended: status === 'suspended',
    })),
  ]
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        const [first] = rows
        if (first) go(first.id)
      }}
    >
      <Input
        aria-label="Company name or id"
        placeholder="Company name or id"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <ul className="mt-2 max-h-80 overflow-y-auto">
        {rows.map(({ id, name, isSuspended }) => (
          <li key={id ?? ''}>
            <button
              type="button"
              className="flex w-full cursor-pointer items-center justify-between gap-2 rounded-md px-3 py-2 text-left hover:bg-kumo-tint"
              onClick={() => go(id)}
            >
              <span className="truncate" dir="auto">
                {name}
              </span>
              {isSuspended && <Badge variant="warning">suspended</Badge>}
            </button>
          </li>
        ))}
        {rows.length === 0 && data && <li className="px-3 py-2 text-kumo-subtle">No tenant of that name.</li>}
      </ul>
    </form>
  )
}
