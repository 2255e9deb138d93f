/** The customer that a command changes, and the effect of its change. */
import type { PreparedCommand } from '../../gate/protocol/write-store.ts'
import { isNew } from './given-columns.ts'

export const EFFECTS = {
  create: 'created',
  upsert: 'created',
  update: 'updated',
  archive: 'archived',
  restore: 'restored',
  merge: 'merged',
  unmerge: 'unmerged',
  revert: 'updated',
  erase: 'erased',
} as const

/**
 * Returns the id of the customer: of a merge and an unmerge, the survivor. Throws if the target of the command was not resolved to one.
 */
export function customerIdOf(command: PreparedCommand): string {
  if (command.kind === 'merge') return command.plan?.survivorId ?? command.target.id
  const id = isNew(command) ? command.id : command.target.id
  if (id === undefined) throw new Error('the target of a change was not resolved')
  return id
}
