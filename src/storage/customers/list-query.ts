/**
 * Chooses how a list of customers is read. Pure: builds SQL and runs none. No way looks at more than a bounded number of
 * customers, see `LIST_BOUNDS`:
 *
 * - A **walk** follows an index in the order of the list, from the position of the page. It ends when the page is full,
 *   or after that number of customers; the next page goes on there.
 * - A **set** is found by an index whatever the order, and sorted. It is no way for a list with more customers than that.
 *
 * A list that other means find, such as a search for words, is a set or a walk with a source of its own.
 */
import { isNull, type SQL, sql } from 'drizzle-orm'
import { LRUCache } from 'lru-cache'
import type { ListField } from '../../registry/customer-fields.ts'
import { invalidField } from '../../registry/errors.ts'
import { LIST_BOUNDS, type ListQuery, type Position, type Sort, sortKeys } from '../../registry/query.ts'
import { customerCounts, customers } from '../schema/tables.ts'
import { inScope } from '../scoped.ts'
import { SCOPE } from '../statement-texts.ts'
import {
  allOf,
  conditionOf,
  conditionOfMetadata,
  conditionOfStatuses,
  type FieldFilter,
  identityOf,
  idRangeOf,
  lookUpOf,
  statusesOf,
  updatedRangeOf,
} from './list-conditions.ts'

export interface ListPlan {
  /** All that the texts of its statements depend on besides its start and bounds; null if they hold values of filters. */
  shape: string | null
  /** Matches the customers of the list among those that a way finds. */
  matches: SQL | undefined
  /** The order, with the id as its last key, in the direction in which the page is read. */
  keys: readonly Sort[]
  /** True when the page is read from its end, so that its rows must be reversed. */
  backwards: boolean
  /** The position that the page begins after; null for the first page, or one at an offset. */
  position: Position | null
  offset: number
  /** The ways to read the list, of which the first that suits is taken. Only a set may not suit. */
  ways: readonly Way[]
  /** True if a filter lists the values it wants of a field that has an index. */
  isLookUp: boolean
  /** The filters as a condition on `customer_counts`; null if there is a filter on another field than the status. */
  statusOnly: SQL | null
}

export interface Way {
  kind: 'walk' | 'set'
  /** The table to select from, with the index that has the customers. */
  source: SQL
  /** Conditions that the index judges: customers outside are not looked at. */
  within: SQL | undefined
  /** Customers to look at, at most. */
  lookedAtMax: number
  /** The same for one read. */
  pieceLookedAtMax: number
}

/** The indexes that find the customers with a value of the field, the most selective first. */
const LOOK_UPS = {
  id: sql`${customers}`,
  externalId: sql`${customers} INDEXED BY customers_external_id_order`,
  email: sql`${customers} INDEXED BY customers_email_order`,
  parentId: sql`${customers} INDEXED BY customers_parent`,
  name: sql`${customers} INDEXED BY customers_name_order`,
} as const satisfies Partial<Record<ListField, SQL>>

/** The indexes that have all customers of a tenant in the order of the field. */
const ORDERS: Partial<Record<ListField, SQL>> = {
  id: sql`${customers}`,
  externalId: LOOK_UPS.externalId,
  email: LOOK_UPS.email,
  name: LOOK_UPS.name,
  updatedAtMs: sql`${customers} INDEXED BY customers_updated_order`,
}

type LookUp = FieldFilter & { field: keyof typeof LOOK_UPS; operator: 'eq' | 'in' }

/** The parts of a plan that its filters and its order decide. */
type Chosen = Pick<ListPlan, 'shape' | 'matches' | 'statusOnly' | 'isLookUp'> & { ways: readonly UnboundedWay[] }
type UnboundedWay = Pick<Way, 'kind' | 'source' | 'within'> & { isSlow: boolean }

const CHOSEN_MAX = 100
/** The choices for lists without filters of fields, by their shapes: most lists have one of a few. */
const chosenByShape = new LRUCache<string, Chosen>({ max: CHOSEN_MAX })

/**
 * Plans with slots for the tenant and the mode. Throws `RegistryError` with `invalid_input` for a query beyond the bounds.
 */
export function planList(query: ListQuery): ListPlan {
  const keys = sortKeys(query.sort)
  checkBounds(query, keys)
  const { start } = query
  const backwards = start.kind === 'before'
  const { ways, ...chosen } = choose(query, keys)
  return {
    ...chosen,
    ways: ways.map(bounded),
    keys: backwards ? keys.map(reversed) : keys,
    backwards,
    position: start.kind === 'offset' ? null : start.position,
    offset: start.kind === 'offset' ? start.offset : 0,
  }
}

function choose(query: ListQuery, keys: readonly Sort[]): Chosen {
  const { filters } = query
  const statuses = statusesOf(query)
  if (filters.some(({ field }) => field !== 'status')) return chooseAnew(query, statuses, keys, null)
  const shape = `list ${statuses} by ${keys.map(({ field, direction }) => `${field} ${direction}`)}`
  const known = chosenByShape.get(shape)
  if (known) return known
  const chosen = chooseAnew(query, statuses, keys, shape)
  chosenByShape.set(shape, chosen)
  return chosen
}

function chooseAnew(
  { filters }: ListQuery,
  statuses: ReturnType<typeof statusesOf>,
  keys: readonly Sort[],
  shape: string | null,
): Chosen {
  const metadata = filters.filter((filter) => filter.field === 'metadata')
  const fields = filters.filter((filter) => filter.field !== 'metadata' && filter.field !== 'status') as FieldFilter[]
  const isSlow = metadata.length > 0 || fields.length > LIST_BOUNDS.fewFiltersMax
  return {
    shape,
    matches: allOf([
      conditionOfStatuses(statuses),
      // A customer that is erased, or merged into another one, is archived, so other statuses need no such condition.
      ...(statuses.includes('archived') ? [isNull(customers.erasedAtMs), isNull(customers.mergedInto)] : []),
      ...fields.map(conditionOf),
      conditionOfMetadata(metadata),
    ]),
    ways: waysOf({ fields, statuses, keys, isSlow }),
    isLookUp: lookUpIn(fields) !== undefined,
    statusOnly:
      fields.length + metadata.length > 0
        ? null
        : sql`${customerCounts.status} IN (${sql.raw(statuses.map((status) => `'${status}'`).join())})`,
  }
}

function bounded({ isSlow, ...way }: UnboundedWay): Way {
  const { lookedAtMax, lookedAtSlowlyMax, pieceLookedAtSlowly } = LIST_BOUNDS
  return way.kind === 'walk' && isSlow
    ? { ...way, lookedAtMax: lookedAtSlowlyMax, pieceLookedAtMax: pieceLookedAtSlowly }
    : { ...way, lookedAtMax, pieceLookedAtMax: lookedAtMax }
}

/** Throws `RegistryError` with `invalid_input`, because none of the ways suits. */
export function refuseOrder(keys: readonly Sort[]): never {
  const message = `has more than ${LIST_BOUNDS.lookedAtMax} customers to sort by ${keys.length} fields that no index has in this order`
  const fix =
    'filter by external_id, email, name, parent, created_at or updated_at, or sort by one of them but the parent'
  throw invalidField('sort', message, fix)
}

interface Parts {
  fields: FieldFilter[]
  statuses: ReturnType<typeof statusesOf>
  keys: readonly Sort[]
  isSlow: boolean
}

function waysOf({ fields, statuses, keys, isSlow }: Parts): UnboundedWay[] {
  const way = (kind: Way['kind'], source: SQL, conditions: (SQL | undefined)[]): UnboundedWay => ({
    kind,
    source,
    within: allOf([inScope(customers, SCOPE), ...conditions]),
    isSlow,
  })
  // SQLite drops a condition that is always false, and then cannot use the index that the source names.
  if (statuses.length === 0) return [way('walk', LOOK_UPS.id, [sql`0`])]

  const ranges = { id: idRangeOf(fields), updatedAtMs: updatedRangeOf(fields) }
  const walk = walkOf(keys)
  const walks = walk ? [way('walk', walk.source, walk.field in ranges ? ranges[walk.field as 'id'] : [])] : []
  const lookUp = lookUpIn(fields)
  if (lookUp) {
    const kind = lookUp.operator === 'eq' && keys.length === 1 ? 'walk' : 'set'
    const first = way(kind, LOOK_UPS[lookUp.field], [lookUpOf(lookUp)])
    return kind === 'walk' ? [first] : [first, ...walks]
  }
  const narrow = (['id', 'updatedAtMs'] as const).find((field) => ranges[field].length > 0)
  const set = narrow && narrow !== walk?.field ? [way('set', ORDERS[narrow] as SQL, ranges[narrow])] : []
  const all = walk || narrow ? [] : [way('set', LOOK_UPS.id, [])]
  return [...set, ...walks, ...all]
}

/** Returns the index that has customers in this order; null if none has. */
function walkOf(keys: readonly Sort[]): { field: ListField; source: SQL } | null {
  const [first, second] = keys
  if (!first || keys.length > 2 || (second && second.direction !== first.direction)) return null
  const source = ORDERS[first.field]
  return source ? { field: first.field, source } : null
}

/** Returns the filter that finds the fewest customers, of those that list the values they want. */
function lookUpIn(fields: FieldFilter[]): LookUp | undefined {
  const usable = fields.filter(
    ({ field, operator, value }) =>
      field in LOOK_UPS &&
      (operator === 'eq' || operator === 'in') &&
      !(field === 'parentId' && (operator === 'eq' ? value === '' : (value as unknown[]).includes(''))),
  ) as LookUp[]
  return (Object.keys(LOOK_UPS) as LookUp['field'][])
    .flatMap((field) => usable.find((filter) => filter.field === field) ?? [])
    .at(0)
}

/** Returns the expression that a key of the order sorts by. */
export function keyOf({ field }: Sort): SQL {
  return identityOf(field)
}

function reversed({ field, direction }: Sort): Sort {
  return { field, direction: direction === 'asc' ? 'desc' : 'asc' }
}

function checkBounds({ filters, start }: ListQuery, keys: Sort[]): void {
  const tooMany = (field: string, max: number) =>
    invalidField(field, `has more than ${max} entries`, `send at most ${max}`)
  if (filters.filter(({ field }) => field !== 'metadata').length > LIST_BOUNDS.filtersMax) {
    throw tooMany('filters', LIST_BOUNDS.filtersMax)
  }
  if (keys.length > LIST_BOUNDS.sortKeysMax + 1) throw tooMany('sort', LIST_BOUNDS.sortKeysMax)
  if (start.kind === 'offset' && start.offset > LIST_BOUNDS.offsetMax) refuseOffset()
}

/** Throws `RegistryError` with `invalid_input`: the page would skip more customers than a request looks at. */
export function refuseOffset(): never {
  const message = 'is further than one request looks'
  throw invalidField('offset', message, 'begin with the first page, and go on with its next_cursor')
}
