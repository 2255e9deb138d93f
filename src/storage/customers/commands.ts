/** The customer that a command changes, and the effect of its change. */
import type { Command } from '../../registry/ports.ts'
import { isNew } from './given-columns.ts'

export const EFFECTS = {
  create: 'created',
  upsert: 'created',
  update: 'updated',
  archive: 'archived',
  restore: 'restored',
  erase: 'erased',
} as const

/** Returns the id of the customer. Throws if the target of the command was not resolved to one. */
export function customerIdOf(command: Command): string {
  const id = isNew(command) ? command.id : command.target.id
  if (id === undefined) throw new Error('the target of a change was not resolved')
  return id
}
