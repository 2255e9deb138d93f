/** The results of lines that an import has done or tried out. Pure. */
import { type ImportContext, type ImportLine, type ImportOutcome, newIdOf } from '../../registry/bulk.ts'
import type { Failure } from '../../registry/errors.ts'
import type { ImportFacts, PlannedLine } from '../protocol/imports.ts'

/** Returns the id of the customer that the line creates or changes. */
export function customerIdOf(line: PlannedLine): string {
  return line.customerId ?? newIdOf(line)
}

/** Returns the result of a line that was done. A chunk that is sent again finds the customers that it created before. */
export function outcomeOf(line: PlannedLine, changed: boolean): ImportOutcome {
  const id = customerIdOf(line)
  if (id === newIdOf(line)) return { result: 'created', id }
  return { result: changed ? 'updated' : 'unchanged', id }
}

/** Returns the result of a line for a customer that exists already as the line wants it. */
export function unchangedOf(line: ImportLine, customerId: string): ImportOutcome {
  return { result: line.id === customerId ? 'created' : 'unchanged', id: customerId }
}

/** Returns what the results of `lines` depend on, as the look-up of `all` shows it. */
export function contextOf(all: readonly ImportLine[], lines: readonly ImportLine[], facts: ImportFacts): ImportContext {
  const first = all.length - lines.length
  return {
    customerIds: facts.lines.slice(first).map(({ customerId }) => customerId),
    parentIds: facts.lines.slice(first).map(({ parentId }) => parentId),
    tree: facts.tree.map(({ id, parentId }) => [id, parentId]),
    holders: facts.holders.map(({ provider, entityId, customerId }) => [provider, entityId, customerId]),
  }
}

/** Returns the failure without the id of a customer that only this dry run tried to create: nobody will ever have it. */
export function withoutTriedIds(failure: Failure, lines: readonly ImportLine[]): Failure {
  if (failure.reason !== 'external_id_taken') return failure
  return lines.some((line) => newIdOf(line) === failure.customerId) ? { ...failure, customerId: null } : failure
}
