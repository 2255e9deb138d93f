/** Facts of a command that the gate needs before it is committed. Pure. */
import type { Command } from '../../registry/ports.ts'
import type { PreparedCommand, PreparedWrite } from '../protocol/write-store.ts'

/** The id must be determined before the commit, because the tags that invalidate caches contain it. */
export function needsLookUp(command: Command): boolean {
  if (command.kind === 'create') return false
  if (['upsert', 'merge', 'unmerge', 'revert'].includes(command.kind)) return true
  return 'target' in command && command.target.externalId !== undefined
}

export function isDryRun(command: Command): boolean {
  return 'dryRun' in command && command.dryRun
}

/** Returns the number of changes that the command makes of other customers, each of which needs an id. */
export function furtherChangesOf(command: PreparedCommand): number {
  if ((command.kind !== 'merge' && command.kind !== 'unmerge') || !command.plan) return 0
  const { children } = command.plan
  return command.kind === 'unmerge' ? 1 + children.length : children.length
}

/** Returns a function that says whether a write is the only one of the batch that changes its customers, and changes one. */
export function changedByOne(writes: readonly PreparedWrite[]): (write: PreparedWrite) => boolean {
  const times = new Map<string, number>()
  for (const { command } of writes) for (const id of changedIdsOf(command)) times.set(id, (times.get(id) ?? 0) + 1)
  return ({ command }) => {
    const ids = changedIdsOf(command)
    return ids.length === 1 && times.get(ids[0] as string) === 1
  }
}

/** Returns every customer whose reads the command changes. */
export function changedIdsOf(command: PreparedCommand): string[] {
  if (command.kind === 'create' || command.kind === 'upsert') return [command.id]
  const { id } = command.target as { id: string }
  if ((command.kind !== 'merge' && command.kind !== 'unmerge') || !command.plan) return [id]
  const { sourceId, survivorId, children, mergedIds } = command.plan
  return [sourceId, survivorId, ...children, ...mergedIds]
}
