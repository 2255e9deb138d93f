/** The operations of operators on moves: to begin one, to look how far it is, and to take it back. */
import { invalidField, notFound, RegistryError } from '../../registry/errors.ts'
import type { NewId } from '../../shared/ids.ts'
import type { Author } from '../ports.ts'
import { canBeAborted, isUnderWay, type Move } from './move.ts'
import type { MoveStore } from './ports.ts'

export interface MoveOperationDeps {
  store: MoveStore
  author: Author
  /** The number of databases that are bound. */
  databases: number
  clock(): number
  newId: NewId
  /** Sends for the next steps. Must not throw. */
  resume(tenantId: string): Promise<void>
}

/**
 * Begins a move to the database with that number. A repeat while it is under way returns the same move. Throws `RegistryError`
 * with `invalid_input` if there is no such database or the tenant is in it, `tenant_moving` if another move is under way.
 */
export async function startMove(deps: MoveOperationDeps, tenantId: string, to: number): Promise<Move> {
  const { store, author, databases, clock, newId } = deps
  if (to >= databases) {
    throw invalidField(
      'database',
      databases === 1
        ? 'is not bound: there is only database 0'
        : `is not bound: the last database is ${databases - 1}`,
      'deploy with one database more, or send the number of one that is there',
    )
  }
  const nowMs = clock()
  const { tenant, move, isNew } = await store.begin({ tenantId, moveId: newId('move', nowMs), to, author, nowMs })
  if (!tenant) throw notFound('tenant')
  const current = move && isUnderWay(move.state) ? move : null
  if (current && current.to !== to) throw moving(current)
  if (!current || current.state === 'aborting') {
    if (current) throw moving(current)
    throw invalidField('database', 'is the one that the customer is in', 'send the number of another database')
  }
  if (isNew) await deps.resume(tenantId)
  return current
}

/** Returns the last move of a tenant. Throws `RegistryError` with `not_found` if it was never moved. */
export async function getMove({ store }: Pick<MoveOperationDeps, 'store'>, tenantId: string): Promise<Move> {
  const move = await store.get(tenantId)
  if (!move) throw notFound('move')
  return move
}

/**
 * Takes a move back: the copy is deleted, and the tenant stays where it is. Throws `RegistryError` with `not_found` if there is
 * none, `tenant_moving` if the tenant is in the other database already.
 */
export async function abortMove(deps: MoveOperationDeps, tenantId: string): Promise<Move> {
  const move = await deps.store.abort(tenantId, deps.author, deps.clock())
  if (!move || move.state === 'done' || move.state === 'aborted') throw notFound('move')
  if (!canBeAborted(move.state)) throw moving(move)
  await deps.resume(tenantId)
  return move
}

function moving({ state, to }: Move): RegistryError {
  return new RegistryError({ reason: 'tenant_moving', state, to })
}
