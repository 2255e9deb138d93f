/**
 * zod at the doors: one validator for bodies and one for query strings, both of which name the field and the mend.
 * The schemas themselves belong to the doors.
 */
import { zValidator } from '@hono/zod-validator'
import type { MiddlewareHandler } from 'hono'
import * as z from 'zod'
import { Refused } from '../registry/failures.ts'
import { prefers } from '../shared/prefer.ts'
import { unstorableString } from './body.ts'
import type { HttpContext, HttpEnv } from './door.ts'
import { problemsOf, unknownFields } from './problems.ts'

/** No list of any door is longer. */
const LIST_LENGTH_MAX = 1_000

/** Put `jsonBody` before it. Unknown fields are ignored unless the caller prefers `handling=strict`. */
export function validJson<Schema extends z.ZodType>(schema: Schema) {
  return zValidator(
    'json',
    schema,
    async (result, c) => {
      if (!result.success) throw new Refused({ reason: 'invalid_input', problems: problemsOf(result.error) })
      if (prefersStrict(c.req.header('prefer'))) {
        const problems = unknownFields(await c.req.json(), schema)
        if (problems.length > 0) throw new Refused({ reason: 'invalid_input', problems })
      }
    },
    {
      validationFunction: (bounded, value) => {
        refuseLongLists(value)
        return bounded.safeParseAsync(value) as never
      },
    },
  )
}

/** A schema looks at every entry before it counts them: a body of a hundred thousand would keep it busy for a second. */
function refuseLongLists(body: unknown): void {
  const further: { path: string; value: unknown }[] = [{ path: '', value: body }]
  for (let at = further.pop(); at !== undefined; at = further.pop()) {
    const { path, value } = at
    if (typeof value !== 'object' || value === null) continue
    if (Array.isArray(value) && value.length > LIST_LENGTH_MAX) {
      const fix = `send at most ${LIST_LENGTH_MAX}`
      const problem = { field: path, message: `has more than ${LIST_LENGTH_MAX} entries`, fix }
      throw new Refused({ reason: 'invalid_input', problems: [problem] })
    }
    for (const [key, inner] of Object.entries(value)) {
      if (typeof inner === 'object') further.push({ path: path === '' ? key : `${path}.${key}`, value: inner })
    }
  }
}

/** A filter that is silently ignored answers the wrong question: unknown and repeated parameters are refused. */
export function validQuery<Shape extends z.ZodRawShape>(shape: Shape) {
  return zValidator('query', z.strictObject(shape), (result) => {
    if (!result.success) throw new Refused({ reason: 'invalid_input', problems: problemsOf(result.error) })
  })
}

/**
 * The query string as `schema` reads it, a name that is given more than once as an array. For handlers in which most
 * requests have no query string: it costs nothing until it is called.
 */
export function readQuery<Schema extends z.ZodType>(c: HttpContext, schema: Schema): z.output<Schema> {
  const { data, error } = schema.safeParse(queryParameters(c.req.raw.url))
  if (error) throw new Refused({ reason: 'invalid_input', problems: problemsOf(error) })
  return data
}

function queryParameters(url: string): Record<string, string | string[]> {
  const at = url.indexOf('?')
  const parameters = new Map<string, string[]>()
  if (at !== -1) {
    for (const [name, value] of new URLSearchParams(url.slice(at))) {
      const problem = unstorableString(value, name)
      if (problem) throw new Refused({ reason: 'invalid_input', problems: [problem] })
      const values = parameters.get(name)
      if (values) values.push(value)
      else parameters.set(name, [value])
    }
  }
  return Object.fromEntries(
    [...parameters].map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  ) as Record<string, string | string[]>
}

/** For a route that takes no query parameters: `validQuery({})` without its cost where there are none. */
export const noQuery: MiddlewareHandler<HttpEnv> = function noQuery(c, next) {
  refuseQuery(c)
  return next()
}

export function refuseQuery(c: HttpContext): void {
  const at = c.req.raw.url.indexOf('?')
  const names = at === -1 ? [] : [...new Set(new URLSearchParams(c.req.raw.url.slice(at)).keys())]
  if (names.length === 0) return
  const problems = names.map((field) => ({ field, message: 'is not known here', fix: 'remove it' }))
  throw new Refused({ reason: 'invalid_input', problems })
}

/** Whether unknown fields of the body are to be refused. */
export function prefersStrict(prefer: string | undefined): boolean {
  return prefers(prefer, 'handling=strict')
}
