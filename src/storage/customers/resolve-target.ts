/** Looks up, for the gate, the customer that a command is about, before the change. */
import type { WriteStore } from '../../gate/protocol/write-store.ts'
import type { Scope } from '../../registry/customer.ts'
import { fail, type Outcome, versionConflict } from '../../registry/errors.ts'
import type { Command } from '../../registry/ports.ts'
import { preconditionOf, unmetBy } from '../../registry/precondition.ts'
import type { Database } from '../database.ts'
import { plannedMerge } from './merge-plans.ts'
import { mergedFrom, resolveExternalId, resolveId } from './reads.ts'
import { resolveRevert } from './revert.ts'
import { plannedUnmerge } from './unmerge-plans.ts'

/**
 * Resolves the target of a command to an id, which the commit needs, and plans a merge, an unmerge or a revert. If the
 * external id, or the id of a merged customer, leads to another one by the time of the commit, or something that the plan
 * depends on has changed, the result of the change has `targetMoved`.
 */
export async function resolveTarget(
  db: Database,
  scope: Scope,
  command: Command,
  archive?: R2Bucket,
): ReturnType<WriteStore['resolveTarget']> {
  if (command.kind === 'create') return { ok: true, command }
  if (command.kind === 'revert') return resolveRevert(db, scope, command, archive)
  if (command.kind === 'upsert') {
    const { externalId, changes, ifVersion, condition } = command
    const conditions = { ifVersion, ...(condition && { condition }) }
    const id = await resolveExternalId(db, scope, externalId)
    if (id !== null)
      return { ok: true, command: { kind: 'update', target: { id, externalId }, changes, ...conditions } }
    const unmet = unmetBy(preconditionOf(command), null)
    return unmet ? fail(versionConflict(unmet, null)) : { ok: true, command }
  }
  const found = await resolvedTarget(db, scope, command)
  if (!found.ok) return found
  const { target, mergedId } = found
  if (command.kind === 'merge') return { ok: true, command: await plannedMerge(db, scope, command, target.id) }
  if (command.kind === 'unmerge') return { ok: true, command: await plannedUnmerge(db, scope, command, target.id) }
  return { ok: true, command: { ...command, target, ...(mergedId !== undefined && { mergedId }) } }
}

type Targeted = Exclude<Command, { kind: 'create' | 'upsert' }>

/** Only a change of fields goes on to the customer that its target was merged into. Anything else would be a surprise. */
async function resolvedTarget(
  db: Database,
  scope: Scope,
  { kind, target }: Targeted,
): Promise<Outcome<{ target: { id: string; externalId?: string }; mergedId?: string }>> {
  const { externalId } = target
  const follows = kind === 'update'
  const mergedId = (id: string) => (target.id !== undefined && target.id !== id ? { mergedId: target.id } : {})
  if (externalId === undefined) {
    const id = follows ? await resolveId(db, scope, target.id) : target.id
    return { ok: true, target: { id }, ...mergedId(id) }
  }
  const id = await resolveExternalId(db, scope, externalId)
  if (id === null) return fail({ reason: 'not_found', resource: 'customer' })
  const former = follows ? null : await mergedFrom(db, scope, externalId)
  if (former !== null) return fail({ reason: 'merged', customerId: former, mergedInto: id })
  if (target.id !== undefined && target.id !== id && (await resolveId(db, scope, target.id)) !== id) {
    return fail({ reason: 'targets_disagree' })
  }
  return { ok: true, target: { id, externalId }, ...mergedId(id) }
}
