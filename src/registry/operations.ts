/**
 * The operations on customers, one function each. Every API calls these functions and nothing below them.
 * Each returns its result or throws `RegistryError` with the failure.
 */
import { type Eventual, whenKnown } from '../shared/eventual.ts'
import { newId } from '../shared/ids.ts'
import type { Customer, CustomerChanges } from './customer.ts'
import type { Duplicate } from './duplicates.ts'
import { invalidField, notFound, RegistryError } from './errors.ts'
import type { MergePreference, MergeReport } from './merge.ts'
import type { Moment, Past, PastTarget } from './past.ts'
import type { Erasure, Idempotency, OnboardingChoice, Registry, Snapshot, Target, Written } from './ports.ts'
import { conditional, type Precondition } from './precondition.ts'
import { type ExportPage, type ExportQuery, type ListPage, type ListQuery, shortened } from './query.ts'

export function createCustomer(
  registry: Registry,
  fields: CustomerChanges & { externalId: string },
  options: {
    nowMs: number
    ifExists: 'fail' | 'return'
    onboarding: OnboardingChoice
    idempotency?: Idempotency | null
  },
): Promise<Written> {
  const { nowMs, ifExists, onboarding, idempotency } = options
  return registry.writer.write(
    { kind: 'create', id: newId('customer', nowMs), fields, ifExists, onboarding },
    idempotency,
  )
}

export function getCustomer(registry: Registry, id: string): Eventual<Snapshot> {
  return whenKnown(registry.reader.byId(id), found)
}

export function getCustomerByExternalId(registry: Registry, externalId: string): Eventual<Snapshot> {
  return whenKnown(registry.reader.byExternalId(externalId), found)
}

/**
 * Returns the customer as it was. Throws `RegistryError` with `not_found` if there was none, and for one that is erased
 * since, and with `history_expired` if what it was then is no longer kept.
 */
export async function getPastCustomer(registry: Registry, target: PastTarget, moment: Moment): Promise<Customer> {
  const past = kept(await registry.reader.past(target, moment))
  if (!past) throw notFound('customer')
  return past
}

/**
 * Changes only the fields that `changes` names. The version stays if no value differs. This and every operation with a
 * `precondition` throws `RegistryError` with `version_conflict` if the customer does not meet it.
 */
export function updateCustomer(
  registry: Registry,
  target: Target,
  changes: CustomerChanges,
  precondition: Precondition | null,
): Promise<Written> {
  return registry.writer.write({ kind: 'update', target, changes, ...conditional(precondition) })
}

/** Creates the customer with this external id, or updates it. Concurrent calls create one customer between them. */
export function upsertCustomer(
  registry: Registry,
  externalId: string,
  changes: CustomerChanges,
  options: { nowMs: number; precondition: Precondition | null; onboarding: OnboardingChoice },
): Promise<Written> {
  const { nowMs, precondition, onboarding } = options
  const id = newId('customer', nowMs)
  return registry.writer.write({ kind: 'upsert', id, externalId, changes, ...conditional(precondition), onboarding })
}

/**
 * Archives the customer, which frees its external id and its integrations. Throws `RegistryError` with `has_children`
 * while other customers belong to it.
 */
export function archiveCustomer(
  registry: Registry,
  target: Target,
  precondition: Precondition | null,
): Promise<Written> {
  return registry.writer.write({ kind: 'archive', target, ...conditional(precondition) })
}

/**
 * Restores an archived customer and applies the changes in the same step. So a customer whose external id, entity or
 * parent is not to be had any more comes back with others. A parent that was erased meanwhile is cleared. Updates a
 * customer that is not archived.
 */
export function restoreCustomer(
  registry: Registry,
  target: Target,
  changes: CustomerChanges,
  precondition: Precondition | null,
  idempotency?: Idempotency | null,
): Promise<Written> {
  return registry.writer.write({ kind: 'restore', target, changes, ...conditional(precondition) }, idempotency)
}

/**
 * Makes the customer what it was at a moment, in a new version: its fields, parent, integrations and status. Throws
 * `RegistryError` with `revert_conflict` if some of it is not to be had any more, and reverts the rest with `partial`. Throws
 * `not_found` and `history_expired` as `getPastCustomer` does.
 */
export function revertCustomer(
  registry: Registry,
  id: string,
  to: Moment,
  options: { partial: boolean; precondition: Precondition | null; idempotency?: Idempotency | null },
): Promise<Written> {
  const { partial, precondition, idempotency } = options
  const command = { kind: 'revert', target: { id }, to, partial, ...conditional(precondition) } as const
  return registry.writer.write(command, idempotency)
}

/**
 * Erases all personal data of the customer for good and returns the receipt. From then on the customer is not found. A
 * repeat returns the same receipt. Throws `RegistryError` with `has_children` while other customers belong to it.
 */
export async function eraseCustomer(
  registry: Registry,
  target: Target,
  precondition: Precondition | null,
  idempotency?: Idempotency | null,
): Promise<Erasure> {
  const { erasure } = await registry.writer.write({ kind: 'erase', target, ...conditional(precondition) }, idempotency)
  if (!erasure) throw new Error('an erasure was answered without its receipt')
  return erasure
}

/** A merge as it was made, or would be. */
export type Merged = Written & { merge: MergeReport }

/**
 * Merges the target, the source, into another customer, the survivor, and returns the survivor. From then on every id of
 * the source leads to the survivor. The precondition is one on the source. Throws `RegistryError` with `merged` if the
 * source was merged before, and with `invalid_input` about `into` if the survivor cannot be one.
 */
export async function mergeCustomer(
  registry: Registry,
  target: Target,
  merge: { into: string; intoVersion: number | null; prefer: MergePreference; dryRun: boolean },
  precondition: Precondition | null,
  idempotency?: Idempotency | null,
): Promise<Merged> {
  const command = { kind: 'merge', target, ...merge, ...conditional(precondition) } as const
  const written = await registry.writer.write(command, merge.dryRun ? null : idempotency)
  if (!written.merge) throw new Error('a merge was answered without its report')
  return { ...written, merge: written.merge }
}

/** An unmerge as it was made, or would be. */
export type Unmerged = Written & { unmerged: NonNullable<Written['unmerged']> }

/**
 * Takes back the merge of a customer, the source, into the target, the survivor. The source comes back as it was, and the
 * survivor loses what it got and nobody has changed since. The precondition is one on the survivor. Throws `RegistryError`
 * with `invalid_input` about `source` if that one is not merged into the target, with `unmerge_expired` after 30 days, and
 * with `external_id_taken` or `integration_taken` if the source cannot have its own any more.
 */
export async function unmergeCustomer(
  registry: Registry,
  target: Target,
  { source, dryRun }: { source: string; dryRun: boolean },
  precondition: Precondition | null,
  idempotency?: Idempotency | null,
): Promise<Unmerged> {
  const command = { kind: 'unmerge', target, source, dryRun, ...conditional(precondition) } as const
  const written = await registry.writer.write(command, dryRun ? null : idempotency)
  if (!written.unmerged) throw new Error('an unmerge was answered without its report')
  return { ...written, unmerged: written.unmerged }
}

/** Returns the customers that may be the same as this one, best first. Archived ones are among them. */
export async function findDuplicates(registry: Registry, id: string): Promise<Duplicate[]> {
  const { customer } = found(await registry.reader.byId(id))
  return registry.reader.duplicatesOf(customer.id)
}

export function listCustomers(registry: Registry, query: ListQuery, options: { total: boolean }): Promise<ListPage> {
  return registry.reader.list(query, options)
}

/**
 * Does the same for a caller that can only go on from a customer it was shown. So a page that is empty and not the last is
 * no answer to it: reads on from there, with a permit more for each further page, and waits for it if necessary.
 */
export async function listShownCustomers(registry: Registry, query: ListQuery): Promise<ListPage> {
  let page = await registry.reader.list(query, { total: false })
  const kind = query.start.kind === 'before' ? 'before' : 'after'
  while (page.customers.length === 0 && page.next !== null) {
    await registry.reader.readmit()
    page = await registry.reader.list({ ...query, start: { kind, position: page.next } }, { total: false })
  }
  return page
}

/**
 * Reads a page that begins at a customer the caller named. Throws `RegistryError` with `invalid_input` about that field
 * if the tenant and mode have no such customer.
 */
export async function namingAnchor<Page>(field: string, fix: string, read: () => Promise<Page>): Promise<Page> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof RegistryError) || error.failure.reason !== 'not_found') throw error
    throw invalidField(field, 'names no customer of this tenant and mode', fix)
  }
}

export function exportCustomers(registry: Registry, query: ExportQuery): Promise<ExportPage> {
  return registry.reader.exportPage(query)
}

/** Names of the related data that a response may include with a customer. */
export const EXPANSIONS = ['parent_customer', 'children', 'integrations', 'aliases'] as const
export type Expansion = (typeof EXPANSIONS)[number]
/** Those that a customer has as it was. */
export const PAST_EXPANSIONS = ['parent_customer', 'integrations'] as const satisfies Expansion[]
export type PastExpansion = (typeof PAST_EXPANSIONS)[number]

export interface Expanded {
  parent?: Customer | null
  children?: Customer[]
  aliases?: string[]
}

/**
 * Reads the related data that `wanted` names, in parallel. Integrations are part of the customer, so they need no read.
 */
export async function expandCustomer(
  registry: Registry,
  customer: Customer,
  wanted: ReadonlySet<Expansion>,
): Promise<Expanded> {
  const [parent, children, aliases] = await Promise.all([
    wanted.has('parent_customer') && customer.parentId ? registry.reader.byId(customer.parentId) : null,
    wanted.has('children') ? registry.reader.related('children', [customer.id]) : null,
    wanted.has('aliases') ? registry.reader.aliasesOf(customer.id) : null,
  ])
  return {
    ...(wanted.has('parent_customer') && { parent: parent?.customer ?? null }),
    ...(children && { children: children.of.get(customer.id) ?? [] }),
    ...(aliases && { aliases }),
  }
}

/**
 * Does the same for a customer as it was at the moment. The parent is as it was then, too; of a version, as it was when the
 * version was made. Children and former external ids of then are not known.
 */
export async function expandPastCustomer(
  registry: Registry,
  customer: Customer,
  moment: Moment,
  wanted: ReadonlySet<PastExpansion>,
): Promise<Expanded> {
  if (!wanted.has('parent_customer')) return {}
  const timeMs = 'timeMs' in moment ? moment.timeMs : customer.updatedAtMs
  const parent = customer.parentId ? await registry.reader.past({ id: customer.parentId }, { timeMs }) : null
  return { parent: kept(parent) }
}

/**
 * Does the same for the customers of a page, with one read for each kind of related data. Shortens the page where the
 * related customers would be more than another page; the next page goes on from there.
 */
export async function expandPage(
  registry: Registry,
  page: ListPage,
  wanted: ReadonlySet<Expansion>,
): Promise<{ page: ListPage; expanded: Expanded[] }> {
  const ids = page.customers.map(({ id }) => id)
  const parentIds = [...new Set(page.customers.flatMap(({ parentId }) => parentId ?? []))]
  const [parents, children, aliases] = await Promise.all([
    wanted.has('parent_customer') && parentIds.length > 0 ? registry.reader.related('parents', parentIds) : null,
    wanted.has('children') && ids.length > 0 ? registry.reader.related('children', ids) : null,
    wanted.has('aliases') && ids.length > 0 ? registry.reader.aliasesOfEach(ids) : null,
  ])
  const lacking = new Set(parents ? parentIds.slice(parents.complete) : [])
  const firstLacking = page.customers.findIndex(({ parentId }) => parentId !== null && lacking.has(parentId))
  const count = Math.min(firstLacking === -1 ? ids.length : firstLacking, children?.complete ?? ids.length)
  const short = shortened(page, count)
  return {
    page: short,
    expanded: short.customers.map(({ id, parentId }) => ({
      ...(wanted.has('parent_customer') && { parent: (parentId && parents?.of.get(parentId)?.[0]) || null }),
      ...(children && { children: children.of.get(id) ?? [] }),
      ...(aliases && { aliases: aliases.get(id) ?? [] }),
    })),
  }
}

function kept(past: Past): Customer | null {
  if (past === 'expired') throw new RegistryError({ reason: 'history_expired' })
  return past
}

function found(snapshot: Snapshot | null): Snapshot {
  if (!snapshot) throw notFound('customer')
  return snapshot
}
