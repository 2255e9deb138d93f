/**
 * Defines the contract of a route: method, path, scope, role, query, body, and whether a repeat with the same Idempotency-Key
 * is safe. Each API declares its contracts once, in its `contract.ts`. The checks of the handlers, the types of
 * `roster/client` and the OpenAPI document are derived from them.
 */
import type { Context, Handler, TypedResponse } from 'hono'
import type * as z from 'zod'
import { atLeast, type Role } from '../operators/operator.ts'
import { invalidField, RegistryError } from '../registry/errors.ts'
import type { Precondition } from '../registry/precondition.ts'
import { lazily } from '../shared/lazily.ts'
import type { KeyScope } from '../tenants/tenant.ts'
import { fieldsOf } from '../validation/problems.ts'
import type { HttpContext, HttpEnv } from './api.ts'
import { readJsonBody } from './body.ts'
import { preconditionIn, refuseConditions } from './conditional.ts'
import { type PageCursor, pageCursor } from './cursor.ts'
import { isTypeOf, isUtf8Of } from './media-type.ts'
import { jsonValidator, readQuery, refuseQuery } from './validate.ts'

interface BodySpec<Schema> {
  schema: Schema
  /** A request without a body counts as `{}`. */
  optional?: true
}

/** A body or a response that is sent piece by piece. */
interface StreamSpec {
  /** The media types of the body. Left out if the route takes no body. */
  request?: {
    mediaTypes: readonly string[]
    /** Matches the types that are read, in lower case and without parameters. */
    accepted: RegExp
    /** Matches those of which the route decodes the `charset`. Others are UTF-8. */
    decoded?: RegExp
  }
  /** The media types of the response. The caller chooses one if there are several. */
  response: readonly string[]
}

interface Spec<Path extends string, Query extends z.ZodType, Body extends z.ZodType> {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete'
  /** The whole path, in the router's form: `/v1/customers/:id`. */
  path: Path
  /** The scopes that a key needs: an empty list if any key of the tenant will do. Null if the route needs no key. */
  scope: KeyScope | readonly KeyScope[] | null
  /**
   * The role that an operator needs. A route of the admin API states it. That of a route of tenants follows from its
   * scopes, see `roleFor`, unless it is stated. Null if a route of the admin API needs none.
   */
  role?: Role | null
  /**
   * How the route uses customers. `read` and `write` go through the registry, which checks their scope as it admits the
   * request. For `null`, the contract admits the caller and checks the scope.
   */
  touches: 'read' | 'write' | null
  /**
   * Makes the schema of the query string, with the first request that needs it. Left out if the route takes no parameters and refuses
   * each by name. Null if it ignores them.
   */
  query?: (() => Query) | null
  /** Makes the schema of the body, in the same way. Left out if the contract does not read the body. */
  body?: BodySpec<() => Body>
  /** Set if the bodies are too long to be held in memory as a whole. */
  stream?: StreamSpec
  /** True if a repeat with the same Idempotency-Key gets the response of the first request. */
  idempotent?: true
  /**
   * True for a change of a resource that has a version, which may be conditional on it. Any other change refuses the
   * headers of conditional requests.
   */
  versioned?: true
}

/** A route of the admin API does not compile without a role. */
type RoleOf<Path extends string> = Path extends `/admin/${string}` ? { role: Role | null } : unknown

/** The checked request, which a handler gets with the context. */
export interface Given<Query extends z.ZodType, Body extends z.ZodType> {
  query: z.output<Query>
  body: z.output<Body>
  /** The conditions on its resource under which a change is to be made. Null if there are none. */
  precondition: Precondition | null
  /** The caller: a key's id or a bound Worker's name. Empty for a route whose registry call admits it. */
  actor: string
  /** The place of the page in its list. Only a route whose query or body has a `cursor` may use it. */
  page: PageCursor
}

/** The checked request without the types of its schemas. */
type Checked = Given<z.ZodUnknown, z.ZodUnknown>

/** The headers that any call of `roster/client` may send. */
export interface CallHeaders {
  'consistency-token'?: string
  'if-match'?: string
  'if-none-match'?: string
  'idempotency-key'?: string
  prefer?: 'handling=strict'
  'roster-mode'?: 'live' | 'test'
  'roster-tenant'?: string
  'x-confirm'?: string
  'x-reason'?: string
  'x-request-id'?: string
}

/** The input types that `roster/client` takes from the route. */
interface ClientInput<Query extends z.ZodType, Body extends z.ZodType> {
  in: (Query extends z.ZodNever ? object : QueryOf<QueryText<z.input<Query>>>) &
    (Body extends z.ZodNever ? object : { json: z.input<Body> }) & { header?: CallHeaders }
  out: object
}

/** A call may leave the whole query out if no parameter is required. */
type QueryOf<Text> = object extends Text ? { query?: Text } : { query: Text }

/** Every value in a query string is text, and a list is a name that is repeated. */
type QueryText<Fields> = { [Name in keyof Fields]: string | string[] | Extract<Fields[Name], undefined> }

export interface Contract<
  Path extends string = string,
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
> extends Omit<Spec<Path, Query, Body>, 'query' | 'body'> {
  readonly query: Query | null | undefined
  readonly body: BodySpec<Body> | undefined
  /** All scopes that a key needs, in the order in which they are checked. */
  scopes: readonly KeyScope[]
  /** The role that an operator needs. Null if it needs none. */
  role: Role | null
  /** Where the caller sends the cursor of a page. Null for a route without pages. */
  pagedBy: 'query' | 'body' | null
  /**
   * Makes the handler of the route: checks the query, the body and the scope by the contract, then calls `work`.
   * Throws `RegistryError` with `invalid_input`, a failure of the body, or the refusal of admission.
   */
  handle<Result extends Response | TypedResponse<unknown>>(
    work: (c: Context<HttpEnv, Path>, given: Given<Query, Body>) => Result | Promise<Result>,
  ): Handler<HttpEnv, Path, ClientInput<Query, Body>, Promise<Result>>
}

/** The contract of any route, for code that iterates over all of them. */
export type AnyContract = Omit<Contract, 'handle'>

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
  return pageCursor(c.get('signingSecrets'), list, (checked as { cursor?: string | null }).cursor)
}
