/**
 * The steps of a run, for fast-check to draw and to shrink: requests that name customers by number, so that any rest of a
 * run still makes sense. The model resolves the numbers just before a step is taken.
 */
import fc from 'fast-check'
import type { CustomerChanges, ParentReference } from '../../../src/registry/customer.ts'
import type { Trouble } from '../support/failing-d1.ts'
import type { ApiName } from './observed.ts'

/** A customer by its place among all that ever existed; the place after the last is an unknown customer. */
export type Who = number

export interface DrawnRequest {
  kind:
    | 'create'
    | 'getOrCreate'
    | 'upsert'
    | 'update'
    | 'archive'
    | 'restore'
    | 'revert'
    | 'erase'
    | 'merge'
    | 'unmerge'
    | 'repeat'
  /** `operator`: the v1 API, by an operator who acts as the tenant. */
  api: ApiName | 'operator'
  who: Who
  /** The customer that a merge names. */
  into: Who
  externalId: string
  changes: DrawnChanges
  /** The reference by which an update names its customer. */
  target: 'id' | 'externalId' | 'both'
  ifVersion: 'none' | 'right' | 'stale'
  /** `old`: a key that another request was sent with. */
  key: 'none' | 'new' | 'old'
  reason: string | null
  variant: number
  /** The version that a revert goes back to, among those of its customer. */
  nth: number
}

/** Changes whose parent is still a number. */
export type DrawnChanges = Omit<CustomerChanges, 'parent'> & { parent?: { who: Who } | { externalId: string } | null }

export interface Step {
  requests: DrawnRequest[]
  /** The lines of an import: sent instead of the requests, or along with two of them when D1 has no failures. */
  lines: { externalId: string; changes: DrawnChanges }[]
  /** An undo: sent along with some of the requests. */
  undo: DrawnUndo | null
  /** Whether the first is sent a second time: along with the others, or after all are answered. */
  twice: 'no' | 'together' | 'after'
  /** The failures of the calls to D1 while the requests are under way. */
  troubles: Trouble[]
  view: { api: ApiName; who: Who; externalId: string }
}

export interface DrawnUndo {
  /** The author of the changes: the key, the bound Worker, or one request, as of an import or of an earlier undo. */
  author: 'key' | 'bound' | 'import'
  /** The first of them and the first one after, counted from the latest change. */
  since: number
  until: number | null
  dryRun: boolean
  /** Requests that are sent along with it. */
  beside: number
  /** Whether it has its former id when it is sent again. */
  keepsId: boolean
}

/** Few, so that requests conflict with each other. `k1` … `k10` are a chain of parents and children. */
const externalId = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'k1', 'k9', 'k10')
/** The first customers are drawn most. */
const who = fc.oneof({ weight: 3, arbitrary: fc.nat(3) }, { weight: 2, arbitrary: fc.nat(30) })
const api = fc.constantFrom<ApiName[]>('v1', 'v1', 'flatpeak', 'rpc')

const manyKeys = (prefix: string) => Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`${prefix}${at}`, 'x']))

const metadata = fc.constantFrom<NonNullable<CustomerChanges['metadata']>[]>(
  { replace: {} },
  { replace: { plan: 'pro', nth: '1' } },
  { merge: { plan: 'free' } },
  { merge: { plan: 'free', nth: '2' } },
  { merge: { plan: null, other: 'x' } },
  { merge: { plan: null } },
  { merge: manyKeys('p') },
  { merge: manyKeys('q') },
)
const profile = fc.constantFrom<Record<string, unknown>[]>(
  { geo_location: { latitude: '51.50', longitude: '0.12' } },
  { geo_location: { latitude: null } },
  { geo_location: null },
  { locations: ['loc_1', 'loc_2'] },
  { locations: null },
  { personal_details: { email_verified: true } },
  { personal_details: { email_verified: null, preferred_locale: 'de' } },
)
const integrations = fc.subarray([
  { provider: 'stripe', id: '1' },
  { provider: 'stripe', id: '2', zone: 'eu' },
  { provider: 'adyen', id: '1' },
])

const change: fc.Arbitrary<DrawnChanges> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ name: fc.constantFrom('One', 'Two', null) }) },
  { weight: 1, arbitrary: fc.record({ email: fc.constantFrom('x@example.com', 'y@example.com', null) }) },
  { weight: 1, arbitrary: fc.record({ addressCity: fc.constantFrom('Berlin', null) }) },
  { weight: 1, arbitrary: fc.record({ timezone: fc.constantFrom('Europe/Berlin', null) }) },
  { weight: 1, arbitrary: fc.record({ status: fc.constantFrom('draft' as const, 'published' as const) }) },
  { weight: 4, arbitrary: fc.record({ externalId }) },
  {
    weight: 2,
    arbitrary: fc.record({ parent: fc.oneof(fc.record({ who }), fc.record({ externalId }), fc.constant(null)) }),
  },
  { weight: 2, arbitrary: fc.record({ integrations }) },
  { weight: 4, arbitrary: fc.record({ metadata }) },
  { weight: 2, arbitrary: fc.record({ profile }) },
)
const changes = fc.array(change, { maxLength: 3 }).map((drawn): DrawnChanges => Object.assign({}, ...drawn))

const kind = fc.oneof(
  ...(
    [
      ['create', 4],
      ['getOrCreate', 2],
      ['upsert', 3],
      ['update', 10],
      ['archive', 3],
      ['restore', 2],
      ['revert', 5],
      ['erase', 2],
      ['merge', 4],
      ['unmerge', 4],
      ['repeat', 2],
    ] as const
  ).map(([name, weight]) => ({ weight, arbitrary: fc.constant(name) })),
)

const request: fc.Arbitrary<DrawnRequest> = fc.record({
  kind,
  api: fc.oneof({ weight: 4, arbitrary: api }, { weight: 1, arbitrary: fc.constant('operator' as const) }),
  who,
  into: who,
  externalId,
  changes,
  target: fc.constantFrom('id', 'id', 'id', 'id', 'externalId', 'both'),
  ifVersion: fc.constantFrom('none', 'none', 'none', 'right', 'stale'),
  key: fc.constantFrom('none', 'new', 'new', 'new', 'old'),
  reason: fc.constantFrom(null, 'ticket 7'),
  variant: fc.nat(2),
  nth: fc.nat(5),
})

const undo: fc.Arbitrary<DrawnUndo> = fc.record({
  author: fc.constantFrom('key', 'key', 'bound', 'import', 'import'),
  since: fc.nat(15),
  until: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat(8) }),
  dryRun: fc.constantFrom(false, false, true),
  beside: fc.nat(2),
  keepsId: fc.boolean(),
})

const trouble = fc.constantFrom<Trouble[]>('none', 'unsent', 'lost', 'lost', 'late', 'late', 'overloaded')

export const step: fc.Arbitrary<Step> = fc.record({
  requests: fc.oneof(
    { weight: 2, arbitrary: fc.array(request, { minLength: 1, maxLength: 1 }) },
    { weight: 3, arbitrary: fc.array(request, { minLength: 2, maxLength: 4, size: 'max' }) },
  ),
  lines: fc.oneof(
    { weight: 4, arbitrary: fc.constant<Step['lines']>([]) },
    { weight: 1, arbitrary: fc.array(fc.record({ externalId, changes }), { minLength: 1, maxLength: 4 }) },
  ),
  undo: fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: undo }),
  twice: fc.constantFrom('no', 'no', 'together', 'after'),
  troubles: fc.oneof(
    { weight: 4, arbitrary: fc.constant<Trouble[]>([]) },
    // After one failure alone the answer must be right.
    { weight: 3, arbitrary: fc.tuple(fc.nat(2), trouble).map(([at, one]) => [...Array(at).fill('none'), one]) },
    { weight: 2, arbitrary: fc.array(trouble, { minLength: 2, maxLength: 4 }) },
  ),
  view: fc.record({ api, who, externalId }),
})

/** Replaces a parent that is given by number. */
export function resolvedChanges({ parent, ...changes }: DrawnChanges, idOf: (who: Who) => string): CustomerChanges {
  if (parent === undefined) return changes
  const reference: ParentReference | null = parent && 'who' in parent ? { id: idOf(parent.who) } : parent
  return { ...changes, parent: reference }
}
