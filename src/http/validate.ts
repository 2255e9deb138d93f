/**
 * Checks bodies and query strings by the zod schemas of an API. Every problem names the field and how to fix it.
 */
import { zValidator } from '@hono/zod-validator'
import type { MiddlewareHandler } from 'hono'
import { LRUCache } from 'lru-cache'
import type * as z from 'zod'
import { type InputProblem, RegistryError } from '../registry/errors.ts'
import { problemsOf, unknownFields, unknownName, WITH_INPUT } from '../validation/problems.ts'
import { unstorableString } from '../validation/storable-text.ts'
import type { HttpContext, HttpEnv } from './api.ts'
import { prefers } from './prefer.ts'

/** The most entries in a list. No list of any API may be longer. */
const LIST_LENGTH_MAX = 1_000

/**
 * Returns a middleware that checks the JSON body. Unknown fields are ignored unless the caller prefers
 * `handling=strict`. The middleware throws `RegistryError` with `invalid_input`, or with `body_not_json` for a body
 * that does not parse.
 */
export function jsonValidator(schema: z.ZodType): MiddlewareHandler<HttpEnv> {
  const validator = zValidator(
    'json',
    schema,
    async (result, c) => {
      if (!result.success) throw invalidInput(problemsOf(result.error, { schema, value: await c.req.json() }))
      if (prefersStrict(c as unknown as HttpContext)) {
        const problems = unknownFields(await c.req.json(), schema)
        if (problems.length > 0) throw invalidInput(problems)
      }
    },
    {
      validationFunction: (bounded, value) => {
        refuseLongLists(value)
        // The type of the option is that of a synchronous result; the validator awaits it.
        return bounded.safeParseAsync(value, WITH_INPUT) as never
      },
    },
  )
  // Its type is that of any app, but only this app calls it.
  return validator as unknown as MiddlewareHandler<HttpEnv>
}

function invalidInput(problems: InputProblem[]): RegistryError {
  return new RegistryError({ reason: 'invalid_input', problems })
}

/**
 * Throws `RegistryError` with `invalid_input` for a list that is too long. A schema checks every entry before it counts
 * them, so a list of a hundred thousand entries would take it a second.
 */
function refuseLongLists(body: unknown): void {
  const further: { path: string; value: unknown }[] = [{ path: '', value: body }]
  for (let at = further.pop(); at !== undefined; at = further.pop()) {
    const { path, value } = at
    if (typeof value !== 'object' || value === null) continue
    if (Array.isArray(value) && value.length > LIST_LENGTH_MAX) {
      const fix = `send at most ${LIST_LENGTH_MAX}`
      const problem = { field: path, message: `has more than ${LIST_LENGTH_MAX} entries`, fix }
      throw invalidInput([problem])
    }
    for (const [key, inner] of Object.entries(value)) {
      if (typeof inner === 'object') further.push({ path: path === '' ? key : `${path}.${key}`, value: inner })
    }
  }
}

/** Query strings that are kept as they were parsed, of each schema, and the longest: callers send few of them again and again. */
const KEPT_QUERIES_MAX = 50
const KEPT_QUERY_LENGTH_MAX = 200
const keptQueries = new WeakMap<z.ZodType, LRUCache<string, { data: unknown }>>()

/**
 * Returns the query string as `schema` parses it; not to be changed. A name that occurs more than once becomes an array. Throws
 * `RegistryError` with `invalid_input` for any problem, because silently ignoring a filter would return wrong results.
 */
export function readQuery<Schema extends z.ZodType>(c: HttpContext, schema: Schema): z.output<Schema> {
  const { url } = c.req.raw
  const text = url.slice(url.indexOf('?'))
  const kept = keptQueries.get(schema) ?? new LRUCache<string, { data: unknown }>({ max: KEPT_QUERIES_MAX })
  keptQueries.set(schema, kept)
  const known = kept.get(text)
  if (known) return known.data as z.output<Schema>
  const value = queryParameters(url)
  const { data, error } = schema.safeParse(value, WITH_INPUT)
  if (!error) {
    if (text.length <= KEPT_QUERY_LENGTH_MAX) kept.set(text, { data })
    return data
  }
  const repeated = repeatedNames(schema, value)
  if (repeated.length === 0) throw invalidInput(problemsOf(error, { schema, value }))
  throw invalidInput(repeated.map((field) => ({ field, message: 'is given more than once', fix: 'send it once' })))
}

/** Returns the parameters that the schema accepts with each of their values, and not with all of them. */
function repeatedNames(schema: z.ZodType, parameters: Record<string, string | string[]>): string[] {
  const isProblem = (name: string, value: string | string[]) => {
    const issues = schema.safeParse({ ...parameters, [name]: value }).error?.issues ?? []
    return issues.some(({ path }) => path[0] === name)
  }
  return Object.entries(parameters).flatMap(([name, values]) =>
    Array.isArray(values) && isProblem(name, values) && !values.some((value) => isProblem(name, value)) ? name : [],
  )
}

function queryParameters(url: string): Record<string, string | string[]> {
  const at = url.indexOf('?')
  const parameters = new Map<string, string[]>()
  if (at !== -1) {
    for (const [name, value] of new URLSearchParams(url.slice(at))) {
      const problem = unstorableString(value, name) ?? undecodedText(url, value, name)
      if (problem) throw invalidInput([problem])
      const values = parameters.get(name)
      if (values) values.push(value)
      else parameters.set(name, [value])
    }
  }
  return Object.fromEntries(
    [...parameters].map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  ) as Record<string, string | string[]>
}

/** Returns a problem for a value with bytes that are no UTF-8: the URL parser has replaced them by U+FFFD. */
function undecodedText(url: string, value: string, field: string): InputProblem | null {
  if (!value.includes('\ufffd') || /%ef%bf%bd|\ufffd/i.test(url)) return null
  return { field, message: 'is not percent-encoded UTF-8', fix: 'encode it as encodeURIComponent does' }
}

/** Throws `RegistryError` with `invalid_input` if there is any query parameter. Used by routes that take none. */
export function refuseQuery(c: HttpContext): void {
  const { url } = c.req.raw
  const at = url.indexOf('?')
  const names = at === -1 ? [] : [...new Set(new URLSearchParams(url.slice(at)).keys())]
  if (names.length === 0) return
  throw invalidInput(names.map((name) => unknownName([name], 'is not known here', [])))
}

/** Returns true if unknown fields of the body are to be refused. */
export function prefersStrict(c: HttpContext): boolean {
  return prefers(c, 'handling', 'strict')
}
