/**
 * Schemas of a list of customers, for `GET /v1/customers` and `POST /v1/customers/search`. The query string is
 * converted to the form of the search body, so the same fields validate both. `list-mapping.ts` maps the result to the
 * registry's query.
 */
import * as z from 'zod'
import { LIST_FIELDS, type ListField, type V1Name, v1NameOf } from '../../../registry/customer-fields.ts'
import { LIST_BOUNDS } from '../../../registry/query.ts'
import { lazily } from '../../../shared/lazily.ts'
import { cursor, externalId, issue, metadata, requiredText, text, time } from '../../../validation/fields.ts'
import { readJson } from '../../../validation/json.ts'
import { nearestHint } from '../../../validation/nearest.ts'
import { readTime } from '../../../validation/time.ts'
import { expand } from './schema.ts'

const LIMIT_MAX = 1_000
const LIMIT_DEFAULT = 50
/** Limit of a page with children: D1 would read a thousand parents with all their children row by row. */
const LIMIT_WITH_CHILDREN_MAX = 100
const OFFSET_MAX = 1_000_000_000
const NAMED_MAX = 1_000
const TEXT_LENGTH_MAX = 500
const Q_LENGTH_MAX = 200
/** Parameters that go with `q`. The index that it uses knows no other field of a customer. */
const BESIDE_Q = new Set(['q', 'status', 'limit', 'cursor', 'expand'])
/** Leaves room for the other parameters that become filters: together they stay within `LIST_BOUNDS.filtersMax`. */
const FILTERS_MAX = LIST_BOUNDS.filtersMax - 10

const STATUSES = ['published', 'draft', 'archived'] as const

/** Maps the v1 name of each field that filters and sorting accept to the registry's name. */
export const FIELDS = Object.fromEntries(
  (Object.keys(LIST_FIELDS) as ListField[]).flatMap((name) => {
    const v1 = v1NameOf(name)
    return v1 === null ? [] : [[v1, name]]
  }),
) as { readonly [Name in ListField as V1Name<Name>]: Name }
const FIELD_NAMES = Object.keys(FIELDS) as (keyof typeof FIELDS)[]

const OPERATORS = ['eq', 'contains', 'not_contains', 'gt', 'lt', 'gte', 'in', 'not_in', 'before', 'after'] as const
type Operator = (typeof OPERATORS)[number]

/** Operators that each kind of field accepts: text has no before, a time contains nothing, a status is one of three. */
const OPERATORS_BY_KIND: Record<'text' | 'time' | 'status', readonly Operator[]> = {
  text: ['eq', 'contains', 'not_contains', 'gt', 'lt', 'gte', 'in', 'not_in'],
  time: ['eq', 'gt', 'lt', 'gte', 'in', 'not_in', 'before', 'after'],
  status: ['eq', 'in', 'not_in'],
}

const filter = lazily(() =>
  z
    .strictObject({
      field: z.enum(FIELD_NAMES),
      operator: z.enum(OPERATORS),
      data_type: z.enum(['string', 'number', 'date', 'array', 'boolean']).nullish(),
      value: z.strictObject({
        string: text(TEXT_LENGTH_MAX).nullish(),
        number: z.number().nullish(),
        boolean: z.boolean().nullish(),
        date: text(TEXT_LENGTH_MAX).nullish(),
        array: z.array(text(TEXT_LENGTH_MAX)).max(NAMED_MAX).nullish(),
      }),
    })
    .transform(({ field, operator, data_type: dataType, value }, context) => {
      const fault = (path: string[], message: string, fix: string) => {
        context.issues.push({ ...issue(value, message, fix), path })
        return { field, operator, value: '' as string | number | (string | number)[] }
      }
      const kind = field === 'status' ? 'status' : LIST_FIELDS[FIELDS[field]] === 'time' ? 'time' : 'text'
      const operators = OPERATORS_BY_KIND[kind]
      if (!operators.includes(operator)) {
        return fault(['operator'], `does not apply to ${field}`, `send one of ${operators.join(', ')}`)
      }
      const wanted = operator === 'in' || operator === 'not_in' ? 'array' : kind === 'time' ? 'date' : 'string'
      if (dataType && dataType !== wanted) {
        return fault(['data_type'], `does not go with ${operator} on ${field}`, `send ${wanted}, or leave it out`)
      }
      const given = value[wanted]
      if (given === undefined || given === null) {
        return fault(['value', wanted], 'is required', `send what ${field} is compared with as value.${wanted}`)
      }
      const path = (at: number) => (wanted === 'array' ? ['value', wanted, String(at)] : ['value', wanted])
      const values = [given].flat().map((each, at): string | number => {
        if (kind === 'text') return each
        if (kind === 'status') {
          if (!STATUSES.some((known) => known === each)) {
            const message = `is none of ${STATUSES.join(', ')}${nearestHint(each, STATUSES)}`
            fault(path(at), message, `send one of ${STATUSES.join(', ')}`)
          }
          return each
        }
        const timeMs = readTime(each)
        if (typeof timeMs === 'number') return timeMs
        fault(path(at), timeMs.message, timeMs.fix)
        return 0
      })
      return { field, operator, value: wanted === 'array' ? values : (values[0] ?? '') }
    }),
)

const sort = lazily(() =>
  z
    .array(z.strictObject({ field: z.enum(FIELD_NAMES), direction: z.enum(['asc', 'desc']).nullish() }))
    .max(LIST_BOUNDS.sortKeysMax)
    .check((context) => {
      const names = context.value.map(({ field }) => field)
      const twice = names.findIndex((name, at) => names.indexOf(name) < at)
      if (twice === -1) return
      const problem = issue(names[twice], `names ${names[twice]} a second time`, 'name each field once')
      context.issues.push({ ...problem, path: [twice, 'field'] })
    }),
)

const metadataFilter = lazily(() =>
  metadata.transform((wanted, context): Record<string, string> => {
    for (const [key, value] of Object.entries(wanted)) {
      if (value !== null) continue
      context.issues.push({ ...issue(null, 'is not text', 'send the text that the value must be'), path: [key] })
    }
    return wanted as Record<string, string>
  }),
)

const names = lazily(() => z.array(requiredText(TEXT_LENGTH_MAX)).max(NAMED_MAX).nullish())

export const listFields = lazily(() => ({
  /** Words, of which a customer has a word that begins with each. */
  q: text(Q_LENGTH_MAX).nullish(),
  customer_ids: names(),
  external_ids: names(),
  external_id: externalId.nullish(),
  email: requiredText(TEXT_LENGTH_MAX).nullish(),
  metadata: metadataFilter().nullish(),
  parent_customer_id: requiredText(TEXT_LENGTH_MAX).nullish(),
  parent_customer_ids: names(),
  status: z
    .union([z.string().transform((value) => [value]), z.array(z.string())])
    .pipe(z.array(z.enum(STATUSES)).max(NAMED_MAX))
    .nullish(),
  /** Earliest `created_at`, inclusive. */
  start_time: time.nullish(),
  /** End of the range of `created_at`, exclusive, so that one period ends where the next begins. */
  end_time: time.nullish(),
  filters: z.array(filter()).max(FILTERS_MAX).nullish(),
  sort: sort().nullish(),
  order: z.enum(['asc', 'desc']).nullish(),
  limit: z
    .int()
    .min(1)
    .max(LIMIT_MAX)
    .nullish()
    .transform((limit) => limit ?? LIMIT_DEFAULT),
  offset: z.int().min(0).max(OFFSET_MAX).nullish(),
  cursor: cursor.nullish(),
  expand: expand().nullish(),
}))

/** An unknown field is refused: a filter that is ignored would return everybody. */
const listObject = lazily(() => z.strictObject(listFields()))
export type ListInput = z.output<ReturnType<typeof listObject>>

function sensible(context: z.core.ParsePayload<ListInput>): void {
  const { start_time: startMs, end_time: endMs, cursor, offset, expand, limit } = context.value
  const fault = (field: string, message: string, fix: string) =>
    context.issues.push({ ...issue(undefined, message, fix), path: [field] })
  if (typeof startMs === 'number' && typeof endMs === 'number' && endMs < startMs) {
    fault('end_time', 'is before start_time', 'send an end_time that is later than start_time')
  }
  if (context.value.q != null) combined(context.value, fault)
  if (cursor != null && offset != null) fault('offset', 'cannot be combined with cursor', 'send one of the two')
  if (expand?.has('children') && limit > LIMIT_WITH_CHILDREN_MAX) {
    fault('limit', 'is too high to show children', `stay within ${LIMIT_WITH_CHILDREN_MAX}, or do not expand children`)
  }
}

function combined({ q: _q, ...input }: ListInput, fault: (field: string, message: string, fix: string) => void): void {
  for (const [field, value] of Object.entries(input)) {
    if (value == null || BESIDE_Q.has(field) || (field === 'offset' && value === 0)) continue
    const fix = field === 'offset' ? 'go on with next_cursor' : `leave it out, or list by ${field} and leave q out`
    fault(field, 'cannot be combined with q', fix)
  }
  const has = (status: (typeof STATUSES)[number]) => input.status?.includes(status)
  if (input.status && has('published') !== has('draft')) {
    fault(
      'status',
      'cannot tell published customers from drafts with q',
      'send archived, or all three, or leave it out',
    )
  }
}

export const searchBody = lazily(() => listObject().check(sensible))
/** Each field as text, and metadata as `metadata[key]` too. zod types the input of `preprocess` as unknown. */
type ListQueryInput = z.input<ReturnType<typeof listObject>> & { [name: `metadata[${string}]`]: string }
export const listQueryString = lazily(
  () => z.preprocess(fromQueryString, listObject().check(sensible)) as unknown as z.ZodType<ListInput, ListQueryInput>,
)

const LIST_NAMES = new Set(['customer_ids', 'external_ids', 'parent_customer_ids', 'status', 'expand'])
const NUMBER_NAMES = new Set(['limit', 'offset'])
const JSON_NAMES = new Set(['filters', 'sort', 'metadata'])
const METADATA_NAME = /^metadata\[(.*)\]$/s

/**
 * Converts the query string to the form of the search body. Lists are comma-separated or repeated. `filters`, `sort`
 * and `metadata` are JSON text. Metadata may also be given as `metadata[key]=value`, and sort as
 * `-created_at,name:asc`. A value that does not parse is passed on as it is, and the schema refuses it.
 */
function fromQueryString(raw: unknown, context: z.core.ParsePayload): unknown {
  const metadata: [string, unknown][] = []
  const entries = Object.entries(raw as Record<string, string | string[]>).flatMap(([name, value]) => {
    const key = METADATA_NAME.exec(name)?.[1]
    if (key !== undefined) metadata.push([key, value])
    return key === undefined ? [[name, readParameter(name, value, context)] as const] : []
  })
  if (metadata.length === 0) return Object.fromEntries(entries)
  if (entries.some(([name]) => name === 'metadata')) {
    const fix = 'send all of it as JSON, or all of it as metadata[key]=value'
    context.issues.push({ ...issue(raw, 'is given in two ways', fix), path: ['metadata'] })
  }
  return Object.fromEntries([...entries, ['metadata', Object.fromEntries(metadata)]])
}

function readParameter(name: string, value: string | string[], context: z.core.ParsePayload): unknown {
  if (LIST_NAMES.has(name)) return [value].flat().flatMap((texts) => texts.split(','))
  if (Array.isArray(value)) return value
  if (NUMBER_NAMES.has(name)) return /^-?\d{1,15}$/.test(value) ? Number(value) : value
  if (!JSON_NAMES.has(name)) return value
  // JSON `null` stays the text "null": a null here would mean that the filter is not set.
  const { value: read, problem } = parsedOrText(value)
  if (problem) {
    const path = [name, ...problem.field.split('.').filter((part) => part !== '')]
    context.issues.push({ ...issue(value, problem.message, problem.fix), path })
  }
  return name === 'sort' && typeof read === 'string' ? sortInShort(read) : (read ?? value)
}

function parsedOrText(text: string): ReturnType<typeof readJson> {
  try {
    return readJson(text)
  } catch {
    return { value: text, problem: null }
  }
}

function sortInShort(text: string): object[] {
  return text.split(',').map((key) => {
    if (key.startsWith('-')) return { field: key.slice(1), direction: 'desc' }
    const [field, direction] = key.split(':', 2)
    return { field, direction }
  })
}
