/** The steps of one move in its two databases, each of which can be done twice. */
import type { Move } from '../../tenants/moves/move.ts'
import type { MoveDatabases } from '../../tenants/moves/ports.ts'
import { boundAt, copyTenantTo } from '../tenants/placement.ts'
import { arrivalOf, catchUp, copyPage, copyWhole } from './copy.ts'
import { begin, type Ends, finish, freeze, letStay } from './marks.ts'
import { readArrival } from './position.ts'
import { removeCopy, removeLeft } from './removal.ts'
import { differingTables } from './verify.ts'

/** Statements of one run that deletes. An invocation may make 1,000 queries. */
const REMOVAL_STATEMENTS = 220

export function moveDatabases(databases: readonly D1Database[], move: Move): MoveDatabases {
  const { tenantId, id: moveId } = move
  const ends: Ends = { from: boundAt(databases, move.from), to: boundAt(databases, move.to), tenantId, moveId }
  const budget = { statements: REMOVAL_STATEMENTS }
  const progress = async () => {
    const { copied, copiedAgain } = (await arrivalOf(ends)).position
    return { copied, copiedAgain }
  }
  return {
    async copyPage() {
      // Triggers and keys need the row of the tenant.
      if (!(await readArrival(ends.to, tenantId, moveId))) await copyTenantTo(databases, tenantId, move.to)
      await begin(ends)
      const isLast = await copyPage(ends)
      return { isLast, ...(await progress()) }
    },

    async catchUp() {
      const changes = await catchUp(ends)
      return { changes, ...(await progress()) }
    },

    freeze: () => freeze(ends),

    async complete() {
      // The copy was finished before, and the run died.
      if (!(await readArrival(ends.to, tenantId, moveId))) return []
      while ((await catchUp(ends)) > 0) {}
      await copyWhole(ends)
      const differing = await differingTables(ends)
      if (differing.length > 0) return differing
      await copyTenantTo(databases, tenantId, move.to)
      await finish(ends, await arrivalOf(ends))
      return []
    },

    thaw: () => letStay(ends),

    async removeCopy() {
      const isGone = await removeCopy({ db: ends.to, tenantId, moveId, budget })
      if (isGone) await removeTenant(ends.to, move.to, tenantId)
      return isGone
    },

    async removeLeft() {
      const isGone = await removeLeft({ db: ends.from, tenantId, moveId, budget })
      if (isGone) await removeTenant(ends.from, move.from, tenantId)
      return isGone
    },

    async copyTenant() {
      await copyTenantTo(databases, tenantId, move.to)
      // Lists of all tenants leave out what is left there.
      await copyTenantTo(databases, tenantId, move.from)
    },
  }
}

/** Deletes the copy of the tenant's row. The directory keeps it. */
async function removeTenant(db: D1Database, number: number, tenantId: string): Promise<void> {
  if (number > 0) await db.prepare('DELETE FROM tenants WHERE id = ?').bind(tenantId).run()
}
