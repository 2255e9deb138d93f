/**
 * API keys of a tenant: made once and shown once, last use, rotation, revocation.
 */
import { Badge } from '@cloudflare/kumo/components/badge'
import { ArrowsClockwiseIcon, KeyIcon, PlusIcon, ProhibitIcon } from '@phosphor-icons/react'
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../../api/call.ts'
import { useMe } from '../../api/me.ts'
import type { TenantKey } from '../../api/routes.ts'
import { keysQuery } from '../../api/tenants.ts'
import { Confirm } from '../../parts/confirm.tsx'
import { Curl } from '../../parts/curl.tsx'
import { GatedButton } from '../../parts/gate.tsx'
import { Id } from '../../parts/id.tsx'
import { above, List, More } from '../../parts/list.tsx'
import { Section } from '../../parts/page.tsx'
import { Secret } from '../../parts/secret.tsx'
import { EmptyState, ErrorState, Loading } from '../../parts/states.tsx'
import { ModeBadge, Status } from '../../parts/status.tsx'
import { Time } from '../../parts/time.tsx'
import { UndoButton } from '../undo/undo.tsx'
import { NewKey } from './new-key.tsx'
import { RotateKey } from './rotate-key.tsx'

interface Props {
  tenantId: string
  notify: (text: string) => void
}

const NEEDS = { role: 'admin' } as const

export function Keys({ tenantId, notify }: Props) {
  const me = useMe()
  const queries = useQueryClient()
  const query = useInfiniteQuery(keysQuery(me, tenantId))
  const [isMaking, make] = useState(false)
  const [rotating, rotate] = useState<TenantKey | null>(null)
  const [revoking, revoke] = useState<TenantKey | null>(null)
  const [secret, showSecret] = useState<string | null>(null)
  const keys = query.data?.pages.flatMap(({ items }) => items) ?? []
  const reload = () => queries.invalidateQueries({ queryKey: ['tenant', tenantId, 'keys'] })
  const param = { customer_id: tenantId }
  const newKey = (
    <GatedButton needs={NEEDS} variant="primary" size="sm" icon={PlusIcon} onClick={() => make(true)}>
      New key
    </GatedButton>
  )
  return (
    <>
      <Section title="API keys" flush actions={newKey}>
        {query.isPending && <Loading />}
        {query.error && keys.length === 0 && <ErrorState error={query.error} onRetry={() => query.refetch()} />}
        {query.data && keys.length === 0 && (
          <EmptyState
            icon={<KeyIcon size={40} aria-hidden />}
            title="No key yet"
            description="Without a key, the tenant cannot call the API. The key is shown once, when it is made."
            contents={newKey}
          />
        )}
        {keys.length > 0 && (
          <List
            label="API keys"
            rows={keys}
            rowKey={({ key_id }) => key_id}
            columns={[
              {
                head: 'Name',
                isTitle: true,
                cell: (key) => (
                  <>
                    <span className="block font-medium break-words" dir="auto">
                      {key.name}
                    </span>
                    <Id value={key.key_id} className="text-sm text-kumo-subtle" />
                  </>
                ),
              },
              { head: 'Mode', cell: ({ mode }) => <ModeBadge mode={mode} /> },
              { head: 'Status', cell: ({ status }) => <Status value={status} /> },
              { head: 'Scopes', cell: ({ scopes }) => <Scopes scopes={scopes} /> },
              { head: 'Last used', cell: ({ last_used_at }) => <Time at={last_used_at ?? null} /> },
              { head: 'Expires', cell: ({ expires_at }) => <Time at={expires_at} /> },
              {
                head: 'Actions',
                hideHead: true,
                right: true,
                cell: (key) => (
                  <span className={`${above} inline-flex justify-end gap-1`}>
                    <UndoButton
                      place={{ tenantId, mode: key.mode }}
                      choice={{ actor: key.key_id, since: null }}
                      what={`what ${key.name} did`}
                      isShort
                    />
                    {key.status === 'active' && (
                      <>
                        <GatedButton
                          needs={NEEDS}
                          size="sm"
                          icon={ArrowsClockwiseIcon}
                          aria-label={`Rotate ${key.name}`}
                          onClick={() => rotate(key)}
                        >
                          Rotate
                        </GatedButton>
                        <GatedButton
                          needs={NEEDS}
                          size="sm"
                          variant="secondary-destructive"
                          icon={ProhibitIcon}
                          aria-label={`Revoke ${key.name}`}
                          onClick={() => revoke(key)}
                        >
                          Revoke
                        </GatedButton>
                      </>
                    )}
                  </span>
                ),
              },
            ]}
          />
        )}
        <More query={query} />
      </Section>
      <div className="mt-3">
        <Curl
          call={
            me.kind === 'tenant'
              ? call('GET', '/v1/tenant/keys')
              : call('GET', '/admin/customers/:customer_id/keys', { param })
          }
        />
      </div>
      <NewKey
        tenantId={tenantId}
        open={isMaking}
        onClose={() => make(false)}
        onMade={(text) => {
          showSecret(text)
          reload()
        }}
      />
      <RotateKey
        tenantId={tenantId}
        rotated={rotating}
        onClose={() => rotate(null)}
        onMade={(text) => {
          showSecret(text)
          notify('The key is rotated.')
          reload()
        }}
      />
      <Confirm
        open={revoking !== null}
        onClose={() => revoke(null)}
        title={`Revoke ${revoking?.name ?? ''}`}
        consequences={[
          'Requests with this key get 401 at once, everywhere.',
          'An import that it sends stops. Other keys of the tenant go on.',
          'It cannot be taken back: a revoked key never works again.',
        ]}
        typed={{ value: revoking?.name ?? '', label: 'Type the name of the key' }}
        reason="required"
        confirmLabel="Revoke it"
        destructive
        makeCall={(reason) =>
          call('DELETE', '/admin/customers/:customer_id/keys/:key_id', {
            param: { ...param, key_id: revoking?.key_id ?? '' },
            reason,
          })
        }
        onDone={() => {
          notify('The key is revoked.')
          reload()
        }}
      />
      <Secret
        title="The new key"
        value={secret}
        warning="Copy it now: Roster keeps a hash only, and cannot show it again."
        onClose={() => showSecret(null)}
      />
    </>
  )
}

function Scopes({ scopes }: { scopes: readonly string[] }) {
  return (
    <span className="inline-flex flex-wrap gap-1 max-md:justify-end">
      {scopes.map((scope) => (
        <Badge key={scope} variant="secondary">
          {scope}
        </Badge>
      ))}
    </span>
  )
}
