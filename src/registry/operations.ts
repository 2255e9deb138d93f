/**
 * What may be done with customers, one function each. Every door calls these and nothing below them.
 * A function answers what was asked or throws `Refused` with the failure.
 */
import { newId } from '../shared/ids.ts'
import type { Customer, CustomerChanges } from './customer.ts'
import { Refused } from './failures.ts'
import type { Erasure, Idempotency, OnboardingChoice, Registry, Snapshot, Target, Written } from './ports.ts'
import type { ListPage, ListQuery } from './query.ts'

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
  return registry.write({ kind: 'create', id: newId('customer', nowMs), fields, ifExists, onboarding }, idempotency)
}

export async function getCustomer(registry: Registry, id: string): Promise<Snapshot> {
  return found(await registry.byId(id))
}

export async function getCustomerByExternalId(registry: Registry, externalId: string): Promise<Snapshot> {
  return found(await registry.byExternalId(externalId))
}

/** Changes only what `changes` names; without any change the version stays. */
export function updateCustomer(
  registry: Registry,
  target: Target,
  changes: CustomerChanges,
  ifVersion: number | null,
): Promise<Written> {
  return registry.write({ kind: 'update', target, changes, ifVersion })
}

/** Creates the customer of this external id, or updates it: however many race, there is one. */
export function upsertCustomer(
  registry: Registry,
  externalId: string,
  changes: CustomerChanges,
  options: { nowMs: number; ifVersion: number | null; onboarding: OnboardingChoice },
): Promise<Written> {
  const { nowMs, ifVersion, onboarding } = options
  const id = newId('customer', nowMs)
  return registry.write({ kind: 'upsert', id, externalId, changes, ifVersion, onboarding })
}

/** Takes the customer out of use; its external id and its integrations are free again. Refused while others belong to it. */
export function archiveCustomer(registry: Registry, target: Target, ifVersion: number | null): Promise<Written> {
  return registry.write({ kind: 'archive', target, ifVersion })
}

export function restoreCustomer(
  registry: Registry,
  target: Target,
  ifVersion: number | null,
  idempotency?: Idempotency | null,
): Promise<Written> {
  return registry.write({ kind: 'restore', target, ifVersion }, idempotency)
}

/**
 * Takes everything personal away, for good, and answers the receipt; from then on there is no such customer. A repeat
 * answers the same receipt. Refused while others belong to the customer.
 */
export async function eraseCustomer(
  registry: Registry,
  target: Target,
  ifVersion: number | null,
  idempotency?: Idempotency | null,
): Promise<Erasure> {
  const { erasure } = await registry.write({ kind: 'erase', target, ifVersion }, idempotency)
  if (!erasure) throw new Error('an erasure was answered without its receipt')
  return erasure
}

export function listCustomers(registry: Registry, query: ListQuery, options: { total: boolean }): Promise<ListPage> {
  return registry.list(query, options)
}

/** What may be shown along with a customer. */
export const EXPANSIONS = ['parent_customer', 'children', 'integrations', 'aliases'] as const
export type Expansion = (typeof EXPANSIONS)[number]

export interface Expanded {
  parent?: Customer | null
  children?: Customer[]
  aliases?: string[]
}

/** A hundred children are shown; a list filtered by parent has them all. */
const CHILDREN_SHOWN_MAX = 100
/** Enough for most pages in one read. */
const CHILDREN_READ_MAX = 1_000

const FIRST_PAGE = {
  includeArchived: false,
  sort: [],
  start: { kind: 'offset', offset: 0 },
} as const satisfies Partial<ListQuery>

/** Reads what `wanted` names beside the customer, all at once. Integrations are part of the customer itself. */
export async function expandCustomer(
  registry: Registry,
  customer: Customer,
  wanted: ReadonlySet<Expansion>,
): Promise<Expanded> {
  const [parent, children, aliases] = await Promise.all([
    wanted.has('parent_customer') && customer.parentId ? registry.byId(customer.parentId) : null,
    wanted.has('children') ? childrenOf(registry, customer.id) : null,
    wanted.has('aliases') ? registry.aliasesOf(customer.id) : null,
  ])
  return {
    ...(wanted.has('parent_customer') && { parent: parent?.customer ?? null }),
    ...(children && { children }),
    ...(aliases && { aliases }),
  }
}

/**
 * The same for the customers of a page, in one read for each kind whatever the size of the page; the parents of a page and
 * its children are each read at most a thousand at a time.
 */
export async function expandCustomers(
  registry: Registry,
  customers: Customer[],
  wanted: ReadonlySet<Expansion>,
): Promise<Expanded[]> {
  const ids = customers.map(({ id }) => id)
  const parentIds = new Set(customers.flatMap(({ parentId }) => parentId ?? []))
  const [parents, children, aliases] = await Promise.all([
    wanted.has('parent_customer') && parentIds.size > 0 ? customersById(registry, [...parentIds]) : null,
    wanted.has('children') && ids.length > 0 ? childrenOfEach(registry, ids) : null,
    wanted.has('aliases') && ids.length > 0 ? registry.aliasesOfEach(ids) : null,
  ])
  return customers.map(({ id, parentId }) => ({
    ...(wanted.has('parent_customer') && { parent: (parentId && parents?.get(parentId)) || null }),
    ...(children && { children: children.get(id) ?? [] }),
    ...(aliases && { aliases: aliases.get(id) ?? [] }),
  }))
}

/** Of at most a page of customers. Archived ones too, as when one is read by its id. */
async function customersById(registry: Registry, ids: string[]): Promise<Map<string, Customer>> {
  const query = { ...FIRST_PAGE, includeArchived: true, limit: ids.length }
  const page = await registry.list(
    { ...query, filters: [{ field: 'id', operator: 'in', value: ids }] },
    { total: false },
  )
  return new Map(page.customers.map((customer) => [customer.id, customer]))
}

/** One read where the children of all of them are few; those it could not show are read for each parent by itself. */
async function childrenOfEach(registry: Registry, parentIds: string[]): Promise<Map<string, Customer[]>> {
  const page = await registry.list(
    {
      ...FIRST_PAGE,
      filters: [{ field: 'parentId', operator: 'in', value: parentIds }],
      sort: [
        { field: 'parentId', direction: 'asc' },
        { field: 'id', direction: 'desc' },
      ],
      limit: CHILDREN_READ_MAX,
    },
    { total: false },
  )
  const children = new Map<string, Customer[]>()
  for (const child of page.customers) {
    const siblings = children.get(child.parentId ?? '')
    if (!siblings) children.set(child.parentId ?? '', [child])
    else if (siblings.length < CHILDREN_SHOWN_MAX) siblings.push(child)
  }
  const last = page.customers.at(-1)?.parentId
  if (!page.hasMore || !last) return children
  const late = parentIds.filter((id) => id >= last)
  await Promise.all(late.map(async (id) => children.set(id, await childrenOf(registry, id))))
  return children
}

async function childrenOf(registry: Registry, parentId: string): Promise<Customer[]> {
  const page = await registry.list(
    {
      ...FIRST_PAGE,
      filters: [{ field: 'parentId', operator: 'eq', value: parentId }],
      limit: CHILDREN_SHOWN_MAX,
    },
    { total: false },
  )
  return page.customers
}

function found(snapshot: Snapshot | null): Snapshot {
  if (!snapshot) throw new Refused({ reason: 'not_found', resource: 'customer' })
  return snapshot
}
