/**
 * The changes that make a customer what it was, and the entries of the log that have a version to go back to. Pure.
 */
import type { V1Customer } from 'roster/client'
import type { Change } from './changes.ts'
import { changesBetween, valuesOf } from './edit.ts'

/** Changes after which the customer is a version of its own. Those of its onboarding are none. */
const VERSIONS = new Set([
  'customer.created',
  'customer.updated',
  'customer.archived',
  'customer.restored',
  'customer.merged',
  'customer.unmerged',
])

/** Returns the fields that differ, and the integrations if they do. */
export function changesToPast(now: V1Customer, then: V1Customer): Change[] {
  const [before, after] = [entitiesOf(now), entitiesOf(then)]
  return [
    ...changesBetween(valuesOf(now), valuesOf(then)),
    ...(before === after ? [] : [{ field: 'integration_entity_mapping', before, after }]),
  ]
}

/** Returns the entities of a customer as a text: their order means nothing. */
function entitiesOf({ integrations = [] }: V1Customer): string {
  return integrations
    .map(({ provider, id }) => `${provider} ${id}`)
    .sort()
    .join(', ')
}

interface Logged {
  id: string
  type: string
  data: { customer: object | null }
}

/** Returns the ids of the events, newest first, whose version the customer can be shown as and reverted to: all but the newest. */
export function eventsToGoBackTo(events: readonly Logged[]): Set<string> {
  const versions = events.filter(({ type, data }) => VERSIONS.has(type) && data.customer !== null)
  return new Set(versions.slice(1).map(({ id }) => id))
}
