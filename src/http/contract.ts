/**
 * Defines the contract of a route: method, path, scope, role, query, body, and whether a repeat with the same Idempotency-Key
 * is safe. Each API declares its contracts once, in its `contract.ts`. The checks of the handlers, the types of
 * `roster/client` and the OpenAPI document are derived from them.
 */
import type * as z from 'zod'
import { atLeast, type Role } from '../operators/operator.ts'
import { invalidField, RegistryError } from '../registry/errors.ts'
import type { Precondition } from '../registry/precondition.ts'
import { lazily } from '../shared/lazily.ts'
import type { KeyScope } from '../tenants/tenant.ts'
import { fieldsOf } from '../validation/problems.ts'
import type { HttpContext } from './api.ts'
import { readJsonBody } from './body.ts'
import { preconditionIn, refuseConditions } from './conditional.ts'
import type { Checked, Contract, RoleOf, Spec } from './contract-types.ts'
import { type PageCursor, pageCursor } from './cursor.ts'
import { isTypeOf, isUtf8Of } from './media-type.ts'
import { jsonValidator, readQuery, refuseQuery } from './validate.ts'

/**
 * Returns the contract of a route. Its handler first begins to admit the caller, who needs the scopes of the route. So a
 * read can run in parallel with its admission, and nothing of the request is read for a caller that is known to be refused.
 */
export function contract<
  const Path extends string,
  Query extends z.ZodType = z.ZodNever,
  Body extends z.ZodType = z.ZodNever,
>(spec: Spec<Path, Query, Body> & RoleOf<Path>): Contract<Path, Query, Body> {
  const { stream } = spec
  const query = spec.query && lazily(spec.query)
  const body = spec.body && { ...spec.body, schema: lazily(spec.body.schema) }
  const validator = lazily(() => (body ? jsonValidator(body.schema()) : null))
  const scopes = spec.scope === null ? [] : [spec.scope].flat()
  const role = spec.role === undefined ? roleFor(spec.method, scopes) : spec.role
  const isForOperators = spec.path.startsWith('/admin/')
  const isAdmittedHere = spec.touches === null && spec.scope !== null
  const paged = lazily(() => (hasCursor(query?.()) ? 'query' : hasCursor(body?.schema()) ? 'body' : null))
  let withoutQuery: z.ZodSafeParseResult<unknown> | undefined

  /** Validates a missing query string once and not for each request, because most requests have none. */
  function queryOf(c: HttpContext): unknown {
    if (query === null) return undefined
    if (query === undefined) return refuseQuery(c)
    if (!c.req.raw.url.includes('?')) {
      withoutQuery ??= query().safeParse({})
      if (withoutQuery.success) return withoutQuery.data
    }
    return readQuery(c, query())
  }

  /**
   * Throws `RegistryError` with `missing_role` if the caller is an operator who may not do this, and with `unauthorized` if
   * it is none and the route is for operators. An operator who changes something as a tenant has to say why: throws
   * `invalid_input` without a reason.
   */
  function requireRole(c: HttpContext): void {
    if (role === null) return
    const operator = c.get('operator')
    if (operator === undefined) {
      if (isForOperators) throw new RegistryError({ reason: 'unauthorized' })
    } else if (!atLeast(operator.role, role)) {
      throw new RegistryError({ reason: 'missing_role', role: operator.role, needed: role })
    } else if (!isForOperators && role !== 'viewer' && !c.req.raw.headers.get('x-reason')?.trim()) {
      throw invalidField('x-reason', 'is missing', 'say in one line why you make the change: the audit shows it')
    }
  }

  /** A caller may take any time to send a body, and may have lost its role meanwhile. */
  async function requireRoleAgain(c: HttpContext): Promise<void> {
    if (role === null || role === 'viewer') return
    await c.get('identifyAgain')()
    requireRole(c)
  }

  function beginAdmission(c: HttpContext): void {
    if (spec.scope === null) return
    const { admission } = c.get('registry')
    // The gate itself admits a change, in the call that makes it.
    if (spec.touches === 'write') admission.beginWrite(scopes)
    else if (spec.touches === 'read') admission.beginRead(scopes)
    else admission.begin(scopes)
  }

  function requireStream(c: HttpContext): void {
    if (!stream?.request) return
    const contentType = c.req.header('content-type') ?? ''
    const { mediaTypes, accepted, decoded } = stream.request
    if (isUtf8Of(accepted, contentType) || (decoded && isTypeOf(decoded, contentType))) return
    throw new RegistryError({ reason: 'body_not_supported', contentType, wanted: mediaTypes.join(' or ') })
  }

  async function bodyOf(c: HttpContext): Promise<unknown> {
    const validateBody = validator()
    if (!body || !validateBody) return undefined
    if (!(await readJsonBody(c, body))) return body.schema().parse({})
    c.set('isBodyChecked', true)
    await validateBody(c, async () => undefined)
    // The validator stores the body there. Only a chain of Hono's middleware would carry its type.
    return (c.req as { valid(target: string): unknown }).valid('json')
  }

  /** A read has no precondition: its handler compares the etag, which the read returns. */
  function preconditionOf(c: HttpContext): Precondition | null {
    if (spec.method === 'get') return null
    const { headers } = c.req.raw
    if (spec.versioned) return preconditionIn(headers, c.get('nowMs'))
    refuseConditions(headers)
    return null
  }

  async function actorOf(c: HttpContext): Promise<string> {
    const { admission } = c.get('registry')
    const actor = await admission.admit()
    for (const scope of scopes) await admission.require(scope)
    return actor
  }

  /** Comes before anything that takes CPU time, such as making a schema: a lease is checked against a clock that stands still. */
  function begin(c: HttpContext): void {
    requireRole(c)
    beginAdmission(c)
    requireStream(c)
  }

  async function check(c: HttpContext): Promise<Checked> {
    const query = queryOf(c)
    const precondition = preconditionOf(c)
    const checked = await bodyOf(c)
    if (body && c.get('operator')) await requireRoleAgain(c)
    const actor = isAdmittedHere ? await actorOf(c) : ''
    const pagedBy = paged()
    const page = pagedBy === null ? UNPAGED : await pageOf(c, pagedBy === 'query' ? query : checked)
    return { query, body: checked, precondition, actor, page }
  }

  return {
    ...spec,
    scopes,
    role,
    get query() {
      return query === null ? null : query?.()
    },
    get body() {
      return body && { ...body, schema: body.schema() }
    },
    get pagedBy() {
      return paged()
    },
    handle(work) {
      // A checked value has the type of its schema, and every context of this app is one of this path. TypeScript
      // cannot infer either, because the schema and the path are generic here.
      const serve = work as unknown as (c: HttpContext, given: Checked) => never
      const serveChecked = async (c: HttpContext) => serve(c, await check(c))
      return function handle(c: HttpContext) {
        begin(c)
        if (body !== undefined || isAdmittedHere || paged() !== null) return serveChecked(c)
        // The hot read waits for none of these, and an async function would cost it an extra promise.
        const precondition = preconditionOf(c)
        return serve(c, { query: queryOf(c), body: undefined, precondition, actor: '', page: UNPAGED })
      } as never
    },
  }
}

/** The least role that has what each scope lets a key do. */
const ROLE_FOR: Record<KeyScope, Role> = {
  'customers:read': 'viewer',
  'customers:write': 'support',
  'events:read': 'viewer',
  'webhooks:manage': 'admin',
  'onboarding:manage': 'admin',
}

/** Returns the role for a route of tenants, as far as its contract states no other. Every role reads. */
function roleFor(method: string, scopes: readonly KeyScope[]): Role | null {
  if (scopes.length === 0) return null
  const roles = method === 'get' ? [] : scopes.map((scope) => ROLE_FOR[scope])
  return roles.reduce((most, role) => (atLeast(role, most) ? role : most), 'viewer')
}

const UNPAGED: PageCursor = {
  position: null,
  next() {
    throw new Error('a route without a cursor has no next page')
  },
}

function hasCursor(schema: z.ZodType | null | undefined): boolean {
  return schema ? Object.hasOwn(fieldsOf(schema), 'cursor') : false
}

/** Returns the place of the page. Throws `RegistryError` with `invalid_input` for a cursor of another list or query. */
function pageOf(c: HttpContext, checked: unknown): Promise<PageCursor> {
  const scope = c.get('registry')?.scope
  const list = {
    path: new URL(c.req.raw.url).pathname,
    scope: scope ? `${scope.tenantId} ${scope.mode}` : 'operators',
    query: checked as object,
  }
  return pageCursor(c.get('deployment').signingSecrets, list, (checked as { cursor?: string | null }).cursor)
}
