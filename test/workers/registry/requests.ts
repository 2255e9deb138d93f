/**
 * Turns drawn values into requests: the numbers become customers, an API without the operation is replaced by one that has
 * it, and fields that an API cannot express are left out.
 */
import type { CustomerChanges } from '../../../src/registry/customer.ts'
import type { Model } from './model.ts'
import type { Operation } from './model-types.ts'
import type { ApiName } from './observed.ts'
import { type DrawnChanges, type DrawnRequest, resolvedChanges, type Who } from './steps.ts'

const NOBODY = 'cust_01ARZ3NDEKTSV4RRFFQ69G5FAV'

/** Returns the customer at this place among all that ever existed, but for `exceptId`; an unknown id after the last. */
export function idAt(model: Model, who: Who, exceptId: string): string {
  const ids = [...model.customers.keys()].filter((id) => id !== exceptId)
  return [...ids, NOBODY][who % (ids.length + 1)] ?? NOBODY
}

/** Returns the operation of the drawn request, at an API that can express it. */
export function requestOf(
  model: Model,
  request: DrawnRequest,
  idOf: (who: Who) => string,
): { api: ApiName; operation: Operation } {
  const operation = operationOf(model, request, idOf)
  const api = request.api === 'operator' ? 'v1' : apiFor(request.api, operation)
  return { api, operation: expressibleAt(api, operation) }
}

/** Returns the fields that a line of an import can have. */
export function lineOf(drawn: DrawnChanges, idOf: (who: Who) => string): CustomerChanges {
  const { externalId: _, profile: _none, ...changes } = withoutMerge(resolvedChanges(drawn, idOf))
  return changes
}

function operationOf(model: Model, request: DrawnRequest, idOf: (who: Who) => string): Operation {
  const id = idOf(request.who)
  const customer = model.customers.get(id)
  const changes = resolvedChanges(request.changes, idOf)
  const { externalId } = request
  const version = request.kind === 'upsert' ? model.byExternalId(externalId)?.version : customer?.version
  const ifVersion = request.ifVersion === 'none' ? null : (version ?? 1) + (request.ifVersion === 'stale' ? 1 : 0)
  switch (request.kind) {
    case 'create':
    case 'getOrCreate': {
      const ifExists = request.kind === 'create' ? 'fail' : 'return'
      return { kind: 'create', fields: { ...withoutMerge(changes), externalId }, ifExists }
    }
    case 'upsert': {
      const { externalId: _, ...others } = withoutMerge(changes)
      return { kind: 'upsert', externalId, changes: others, ifVersion }
    }
    case 'update':
    case 'repeat': {
      const target =
        request.target === 'id' ? { id } : request.target === 'externalId' ? { externalId } : { id, externalId }
      return { kind: 'update', target, changes: request.target === 'id' ? changes : withoutMerge(changes), ifVersion }
    }
    case 'archive':
      return {
        kind: 'archive',
        target: request.api === 'rpc' && request.target !== 'id' ? { externalId } : { id },
        ifVersion,
      }
    case 'restore':
      return { kind: 'restore', target: { id }, changes: request.variant === 0 ? {} : withoutMerge(changes), ifVersion }
    case 'revert': {
      // Mostly a version that the customer had, sometimes the one after its last.
      const to = { version: 1 + (request.nth % ((customer?.version ?? 0) + 1)) }
      return { kind: 'revert', target: { id }, to, partial: request.variant !== 0, ifVersion }
    }
    case 'erase':
      return { kind: 'erase', target: { id }, ifVersion }
    case 'unmerge': {
      // Mostly a merge that was made, and mostly of the customer that the other one leads to.
      const source = [...model.merges.keys()][request.into % (model.merges.size + 1)] ?? idOf(request.into)
      const at = (request.nth > 0 && model.customers.get(source)?.mergedInto) || id
      const { version = 1 } = model.customers.get(at) ?? {}
      const ifSurvivor = request.ifVersion === 'none' ? null : version + (request.ifVersion === 'stale' ? 1 : 0)
      const dryRun = request.variant === 2 && request.reason === null
      return { kind: 'unmerge', target: { id: at }, source, dryRun, ifVersion: ifSurvivor }
    }
    case 'merge': {
      const into = idOf(request.into)
      // Which of the two has the other version than the caller thinks.
      const [ifSource, ifInto] =
        request.variant === 1 ? [null, (model.byId(into)?.version ?? 1) + 1] : [ifVersion, null]
      const intoVersion = request.ifVersion === 'stale' ? ifInto : null
      const prefer = request.variant === 0 ? 'target' : 'source'
      const dryRun = request.variant === 2 && request.reason === null
      return { kind: 'merge', target: { id }, into, intoVersion, prefer, dryRun, ifVersion: ifSource }
    }
  }
}

/** Returns the API itself if it has the operation, else v1, which has all of them. */
function apiFor(api: ApiName, { kind, ...operation }: Operation): ApiName {
  if (api === 'rpc') return kind === 'upsert' || kind === 'erase' ? 'v1' : 'rpc'
  if (api === 'v1') return 'v1'
  if (kind === 'create') return 'ifExists' in operation && operation.ifExists === 'return' ? 'v1' : 'flatpeak'
  if (kind === 'archive') return 'flatpeak'
  if (kind === 'update' && 'target' in operation) return operation.target.externalId === undefined ? 'flatpeak' : 'v1'
  return 'v1'
}

/** Leaves out the fields that the API does not have. */
function expressibleAt(api: ApiName, operation: Operation): Operation {
  if (operation.kind === 'create')
    return { ...operation, fields: { ...expressible(api, operation.fields), externalId: operation.fields.externalId } }
  if (operation.kind === 'upsert') return { ...operation, changes: expressible(api, operation.changes) }
  if (operation.kind === 'restore') return { ...operation, changes: expressible(api, operation.changes ?? {}) }
  if (operation.kind !== 'update') return operation
  const { id, externalId } = operation.target
  const target = api === 'rpc' && id !== undefined && externalId !== undefined ? { id } : operation.target
  return { ...operation, target, changes: expressible(api, operation.changes) }
}

function expressible(api: ApiName, changes: CustomerChanges): CustomerChanges {
  const { profile, ...others } = changes
  if (api === 'v1') return others
  if (api === 'rpc') return withoutMerge(others)
  const { name: _name, status: _status, parent: _parent, metadata: _metadata, integrations: _list, ...fields } = changes
  return fields
}

/** Leaves out a merge, which only a merge patch can express. */
function withoutMerge({ metadata, ...changes }: CustomerChanges): CustomerChanges {
  return metadata && 'replace' in metadata ? { ...changes, metadata } : changes
}
