/**
 * The keys of one operator, for scripts of theirs.
 */
import { Button } from '@cloudflare/kumo/components/button'
import { Input } from '@cloudflare/kumo/components/input'
import { KeyIcon, ProhibitIcon } from '@phosphor-icons/react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../../api/call.ts'
import { operatorKeysQuery } from '../../api/operators.ts'
import type { Operator } from '../../api/routes.ts'
import { send } from '../../api/send.ts'
import { CopyButton, Id } from '../../parts/id.tsx'
import { ErrorState, Failure, Loading } from '../../parts/states.tsx'
import { Time } from '../../parts/time.tsx'

export function OperatorKeys({ operator }: { operator: Operator }) {
  const queries = useQueryClient()
  const keys = operatorKeysQuery(operator.operator_id)
  const { data, error, isPending, refetch } = useQuery(keys)
  const [name, setName] = useState('')
  const param = { operator_id: operator.operator_id }
  const reload = () => queries.invalidateQueries({ queryKey: keys.queryKey })
  const creation = useMutation({
    mutationFn: () =>
      send(
        call('POST', '/admin/operators/:operator_id/keys', {
          param,
          body: { ...(name.trim() && { name: name.trim() }) },
        }),
      ),
    onSuccess: () => {
      setName('')
      reload()
    },
  })
  const revocation = useMutation({
    mutationFn: (key_id: string) =>
      send(call('DELETE', '/admin/operators/:operator_id/keys/:key_id', { param: { ...param, key_id } })),
    onSuccess: reload,
  })
  return (
    <section aria-label="Keys" className="space-y-3">
      <h3 className="font-medium">Keys</h3>
      {isPending && <Loading lines={2} />}
      {error && !data && <ErrorState error={error} onRetry={() => refetch()} />}
      {data?.items.length === 0 && (
        <p className="text-kumo-subtle">None. A key is for scripts; people sign in with Access or a link.</p>
      )}
      {data && data.items.length > 0 && (
        <ul className="divide-y divide-kumo-hairline rounded-lg ring ring-kumo-line">
          {data.items.map((key) => (
            <li key={key.key_id} className="flex flex-wrap items-center gap-x-4 gap-y-1 px-3 py-2">
              <KeyIcon size={16} className="text-kumo-subtle" aria-hidden />
              <span className="font-medium" dir="auto">
                {key.name}
              </span>
              <Id value={key.key_id} className="text-sm text-kumo-subtle" />
              <span className="flex-1 text-sm whitespace-nowrap text-kumo-subtle">
                last used <Time at={key.last_used_at} />
              </span>
              <Button
                size="sm"
                variant="secondary-destructive"
                icon={ProhibitIcon}
                aria-label={`Revoke ${key.name}`}
                loading={revocation.isPending && revocation.variables === key.key_id}
                onClick={() => revocation.mutate(key.key_id)}
              >
                Revoke
              </Button>
            </li>
          ))}
        </ul>
      )}
      {creation.data && (
        <div role="status" className="rounded-md bg-kumo-warning-tint p-3 ring ring-kumo-warning/30">
          <p>Copy the key now: it is shown this once.</p>
          <p className="mt-1 flex items-center gap-2">
            <code className="min-w-0 flex-1 font-mono text-sm break-all" translate="no" data-secret>
              {creation.data.key}
            </code>
            <CopyButton value={creation.data.key} label="Copy the key" />
          </p>
        </div>
      )}
      <form
        className="flex flex-wrap items-end gap-2"
        onSubmit={(event) => {
          event.preventDefault()
          if (!creation.isPending) creation.mutate()
        }}
      >
        <Input
          label="Name of a new key"
          placeholder="nightly report"
          autoComplete="off"
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <Button type="submit" loading={creation.isPending}>
          Make a key
        </Button>
      </form>
      <Failure error={creation.error ?? revocation.error} />
    </section>
  )
}
