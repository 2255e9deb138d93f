/** Plans the revert of one customer, for the gate: two reads of the primary. The commit is that of any other change. */
import type { Scope } from '../../registry/customer.ts'
import type { Failure } from '../../registry/errors.ts'
import { pastOf } from '../../registry/past.ts'
import type { Command } from '../../registry/ports.ts'
import { planRevert } from '../../registry/revert.ts'
import type { Database } from '../database.ts'
import { readPastFacts } from './past.ts'
import { type FactsRow, revertFactsOf, revertFactsQuery } from './revert-facts.ts'

type Revert = Extract<Command, { kind: 'revert' }>

/** Returns the command with its plan, or with the reason why there is nothing to go back to. */
export async function resolveRevert(
  db: Database,
  scope: Scope,
  command: Revert,
  archive?: R2Bucket,
): Promise<{ ok: true; command: Revert }> {
  const { id } = command.target
  const facts = await readPastFacts(db, scope, { id }, command.to, archive)
  const past = pastOf(facts, command.to)
  const refused = (refusal: Failure) => ({ ok: true, command: { ...command, refusal } }) as const
  if (facts?.mergedInto) return refused({ reason: 'merged', customerId: id, mergedInto: facts.mergedInto })
  if (!facts || past === null) return refused({ reason: 'not_found', resource: 'customer' })
  if (past === 'expired') return refused({ reason: 'history_expired' })
  const { now } = facts
  const [row] = await db.all<FactsRow>(revertFactsQuery(scope, [{ past, now }]))
  return { ok: true, command: { ...command, plan: planRevert(past, now, revertFactsOf(row as FactsRow)) } }
}
