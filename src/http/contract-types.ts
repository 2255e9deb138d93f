/**
 * The types of a contract, which says what a route is: `contract.ts` makes the handler of the route from it, and the types of
 * `roster/client` are derived from it.
 */
import type { Context, Handler, TypedResponse } from 'hono'
import type * as z from 'zod'
import type { Role } from '../operators/operator.ts'
import type { Precondition } from '../registry/precondition.ts'
import type { KeyScope } from '../tenants/tenant.ts'
import type { HttpEnv } from './api.ts'
import type { PageCursor } from './cursor.ts'

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

export interface Spec<Path extends string, Query extends z.ZodType, Body extends z.ZodType> {
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
export type RoleOf<Path extends string> = Path extends `/admin/${string}` ? { role: Role | null } : unknown

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
export type Checked = Given<z.ZodUnknown, z.ZodUnknown>

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
