/** The refusals of the model that several operations share. */
import type { Failure } from '../../../src/registry/errors.ts'
import type { ModelCustomer } from './model-types.ts'

const METADATA_KEYS_MAX = 50

export class Refusal extends Error {
  readonly failure: Failure
  constructor(failure: Failure) {
    super(failure.reason)
    this.failure = failure
  }
}

export function requireVersion({ version }: ModelCustomer, ifVersion: number | null): void {
  if (ifVersion !== null && ifVersion !== version) {
    throw new Refusal({ reason: 'version_conflict', currentVersion: version })
  }
}

export function requireMetadata({ metadata }: ModelCustomer): void {
  if (Object.keys(metadata).length <= METADATA_KEYS_MAX) return
  throw new Refusal({ reason: 'metadata_too_many_keys', keysMax: METADATA_KEYS_MAX })
}

export function taken({ externalId, id }: ModelCustomer): Refusal {
  return new Refusal({ reason: 'external_id_taken', externalId, customerId: id })
}

export function mergedAway({ id, mergedInto }: ModelCustomer): Refusal {
  return new Refusal({ reason: 'merged', customerId: id, mergedInto: mergedInto ?? '' })
}

export function notFound(): Refusal {
  return new Refusal({ reason: 'not_found', resource: 'customer' })
}
