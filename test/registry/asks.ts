/**
 * From what was drawn to what is asked: the numbers become customers, a door that has no word for an operation is exchanged for
 * one that has, and what a door can not say of a customer is left out.
 */
import type { CustomerChanges } from '../../src/registry/customer.ts'
import type { DoorName } from './heard.ts'
import type { Model } from './model.ts'
import { type Ask, type Drawn, resolvedChanges, type Who } from './steps.ts'
import type { Operation } from './words.ts'

const NOBODY = 'cust_01ARZ3NDEKTSV4RRFFQ69G5FAV'

/** The customer at this place among all there ever were, but for `exceptId`; nobody's id behind the last. */
export function idAt(model: Model, who: Who, exceptId: string): string {
  const ids = [...model.customers.keys()].filter((id) => id !== exceptId)
  return [...ids, NOBODY][who % (ids.length + 1)] ?? NOBODY
}

/** What the ask comes to, at a door that can say it. */
export function askedOf(model: Model, ask: Ask, idOf: (who: Who) => string): { door: DoorName; operation: Operation } {
  const operation = operationOf(model, ask, idOf)
  const door = doorFor(ask.door, operation)
  return { door, operation: sayableAt(door, operation) }
}

/** What a line of an import can say. */
export function lineOf(drawn: Drawn, idOf: (who: Who) => string): CustomerChanges {
  const { externalId: _, profile: _none, ...changes } = withoutMerge(resolvedChanges(drawn, idOf))
  return changes
}

function operationOf(model: Model, ask: Ask, idOf: (who: Who) => string): Operation {
  const id = idOf(ask.who)
  const customer = model.customers.get(id)
  const changes = resolvedChanges(ask.changes, idOf)
  const { externalId } = ask
  const version = ask.kind === 'upsert' ? model.byExternalId(externalId)?.version : customer?.version
  const ifVersion = ask.ifVersion === 'none' ? null : (version ?? 1) + (ask.ifVersion === 'stale' ? 1 : 0)
  switch (ask.kind) {
    case 'create':
    case 'getOrCreate': {
      const ifExists = ask.kind === 'create' ? 'fail' : 'return'
      return { kind: 'create', fields: { ...withoutMerge(changes), externalId }, ifExists }
    }
    case 'upsert': {
      const { externalId: _, ...others } = withoutMerge(changes)
      return { kind: 'upsert', externalId, changes: others, ifVersion }
    }
    case 'update':
    case 'repeat': {
      const target = ask.target === 'id' ? { id } : ask.target === 'externalId' ? { externalId } : { id, externalId }
      return { kind: 'update', target, changes: ask.target === 'id' ? changes : withoutMerge(changes), ifVersion }
    }
    case 'archive':
      return { kind: 'archive', target: ask.door === 'rpc' && ask.target !== 'id' ? { externalId } : { id }, ifVersion }
    case 'restore':
    case 'erase':
      return { kind: ask.kind, target: { id }, ifVersion }
  }
}

/** The door itself if it has a word for the operation, else the one that has words for all. */
function doorFor(door: DoorName, { kind, ...operation }: Operation): DoorName {
  if (door === 'rpc') return kind === 'upsert' || kind === 'erase' ? 'v1' : 'rpc'
  if (door === 'v1') return 'v1'
  if (kind === 'create') return 'ifExists' in operation && operation.ifExists === 'return' ? 'v1' : 'flatpeak'
  if (kind === 'archive') return 'flatpeak'
  if (kind === 'update' && 'target' in operation) return operation.target.externalId === undefined ? 'flatpeak' : 'v1'
  return 'v1'
}

/** Without what the door has no word for. */
function sayableAt(door: DoorName, operation: Operation): Operation {
  if (operation.kind === 'create')
    return { ...operation, fields: { ...sayable(door, operation.fields), externalId: operation.fields.externalId } }
  if (operation.kind === 'upsert') return { ...operation, changes: sayable(door, operation.changes) }
  if (operation.kind !== 'update') return operation
  const { id, externalId } = operation.target
  const target = door === 'rpc' && id !== undefined && externalId !== undefined ? { id } : operation.target
  return { ...operation, target, changes: sayable(door, operation.changes) }
}

function sayable(door: DoorName, changes: CustomerChanges): CustomerChanges {
  const { profile, ...others } = changes
  if (door === 'v1') return others
  if (door === 'rpc') return withoutMerge(others)
  const { name: _name, status: _status, parent: _parent, metadata: _metadata, integrations: _list, ...words } = changes
  return words
}

/** Only a merge patch can merge. */
function withoutMerge({ metadata, ...changes }: CustomerChanges): CustomerChanges {
  return metadata && 'replace' in metadata ? { ...changes, metadata } : changes
}
