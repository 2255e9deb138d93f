/**
 * The caller that made a change, by name where it is known.
 */
import { useQuery } from '@tanstack/react-query'
import { keyNamesQuery, operatorNamesQuery } from '../../api/customer.ts'
import { type Me, useMe } from '../../api/me.ts'
import { shortId } from '../../lib/format.ts'

/** Returns a function that names actors, such as "key billing" for `key_01J…`. */
export function useActorName(tenantId: string): (id: string) => string {
  const me = useMe()
  const { data: keys = {} } = useQuery(keyNamesQuery(me, tenantId))
  const { data: operators = {} } = useQuery(operatorNamesQuery(me))
  return (id) => actorName(id, me, keys, operators)
}

function actorName(id: string, me: Me, keys: Record<string, string>, operators: Record<string, string>): string {
  if (me.kind === 'operator' && (id === me.operatorId || id === me.name)) return 'you'
  if (keys[id] !== undefined) return `key ${keys[id]}`
  if (operators[id] !== undefined) return operators[id]
  return /^[a-z]+_[0-9A-Z]{26}$/.test(id) ? shortId(id) : id
}

export function Actor({ id, tenantId }: { id: string; tenantId: string }) {
  const nameOf = useActorName(tenantId)
  return (
    <span title={id} dir="auto">
      {nameOf(id)}
    </span>
  )
}

/** An operator who changed something that is of no tenant. */
export function OperatorName({ id }: { id: string }) {
  const me = useMe()
  const { data: operators = {} } = useQuery(operatorNamesQuery(me))
  return (
    <span title={id} dir="auto">
      {actorName(id, me, {}, operators)}
    </span>
  )
}
