/**
 * Remembers which customers have which external ids, so that a change that names one needs no trip to D1 before its own. An
 * entry is a hint of any age: the statement of the change checks the external id, and when the customer does not have it any
 * more, the gate looks it up.
 */
import { LRUCache } from 'lru-cache'
import type { Command } from '../../registry/ports.ts'
import type { CommitResult, PreparedCommand } from '../protocol/write-store.ts'

/** External ids have up to 255 characters: this is 2 MB at most, of the 128 MB that gates share. */
const KNOWN_MAX = 2_000

export class KnownIds {
  readonly #ids = new LRUCache<string, string>({ max: KNOWN_MAX })

  /** Returns the command with the id of its target. Returns null if it names none by an external id alone, or an unknown one. */
  resolved(command: Command): PreparedCommand | null {
    if (command.kind !== 'update' && command.kind !== 'upsert') return null
    const { externalId } = command.kind === 'upsert' ? command : command.target
    if (externalId === undefined || (command.kind === 'update' && command.target.id !== undefined)) return null
    const id = this.#ids.get(externalId)
    if (id === undefined) return null
    const { changes, ifVersion, condition } = command
    return { kind: 'update', target: { id, externalId }, changes, ifVersion, ...(condition && { condition }) }
  }

  /** Takes note of the result of a change. */
  learn(result: CommitResult): void {
    if (!result.ok) return
    const { customer, erased } = result
    if (customer.status !== 'archived') this.#ids.set(customer.externalId, customer.id)
    for (const externalId of erased?.externalIds ?? []) this.#ids.delete(externalId)
  }
}
