/**
 * Finds the database of a tenant. The directory says which one it is; the policy in each lease and, as it was at first, the id of
 * the tenant say it too.
 */
import type { Bindings } from '../env.ts'
import { databaseHeld } from '../gate/isolate/admission.ts'
import { gateNameOf } from '../gate/isolate/deps.ts'
import type { Scope } from '../registry/customer.ts'
import { systemClock } from '../shared/clock.ts'
import { databaseInId } from '../shared/ids.ts'
import { boundAt, findDatabaseOf } from '../storage/tenants/placement.ts'

type Databases = Pick<Bindings, 'directory' | 'databases'>

/** Returns the number by the last lease, or else by the id of the tenant. It may be that of before a move. */
export function hintedDatabase({ databases }: Databases, scope: Scope): number {
  if (databases.length === 1) return 0
  const number = databaseHeld(gateNameOf(scope))?.number ?? databaseInId(scope.tenantId)
  return number < databases.length ? number : 0
}

/** Returns the number by the directory; 0 for a tenant that does not exist. With one database, nothing is read. */
export async function lookedUpDatabase({ directory, databases }: Databases, tenantId: string): Promise<number> {
  return databases.length === 1 ? 0 : ((await findDatabaseOf(directory, tenantId)) ?? 0)
}

/** Returns the database of a tenant: by the lease in force, if this isolate holds one, else by the directory. */
export async function databaseOf(bindings: Databases, scope: Scope): Promise<D1Database> {
  if (bindings.databases.length === 1) return bindings.directory
  const held = databaseHeld(gateNameOf(scope))
  const isInForce = held !== null && systemClock() < held.untilMs
  return boundAt(bindings.databases, isInForce ? held.number : await lookedUpDatabase(bindings, scope.tenantId))
}

/** The names of all methods of a store. One that is left out does not compile. */
export type MethodsOf<Store> = Record<keyof Store, true>

/**
 * Returns the store that `open` opens over the tenant's database. Where there are several databases, each call of one of the
 * `methods` finds out first which one that is.
 */
export function storeOf<Store extends Record<keyof Store, (...given: never[]) => Promise<unknown>>>(
  bindings: Databases,
  scope: Scope,
  methods: MethodsOf<Store>,
  open: (d1: D1Database) => Store,
): Store {
  if (bindings.databases.length === 1) return open(bindings.directory)
  const forwarded = (Object.keys(methods) as (keyof Store)[]).map((name) => [
    name,
    async (...given: never[]) => open(await databaseOf(bindings, scope))[name](...given),
  ])
  return Object.fromEntries(forwarded) as Store
}
