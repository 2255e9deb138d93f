/**
 * Combines the contracts of an API with their documentation. The contract provides the schemas; the documentation
 * provides the descriptions and examples. A contract without documentation, or documentation without a contract, does
 * not compile.
 */
import type { ParamKeys } from 'hono/types'
import { z } from 'zod'
import type { AnyContract, Contract } from '../src/http/contract-types.ts'
import type { ResponseDoc, RouteDoc } from './build.ts'
import type { FieldDocs } from './fields/field.ts'
import type { RequestHeader } from './parts.ts'

/** The documentation of one parameter, in addition to its schema. */
interface ParameterDoc {
  description: string
  examples?: unknown[]
  [other: string]: unknown
}

/**
 * The documentation of one query parameter, or `hidden` for one that the API accepts and the document leaves out,
 * because clients generated from it could not have it: its name is also that of a path parameter.
 */
type QueryParameterDoc = ParameterDoc | 'hidden'

interface BodyDoc {
  /** The name of the schema among the components. Without it, the schema is inlined in the operation. */
  id?: string
  /** The schema of a body that is a stream. Its contract has none, because a stream is not validated as a whole. */
  schema?: z.ZodType
  example?: unknown
  /** The example of each content type, instead of `example`. */
  examples?: Record<string, unknown>
}

/** The documentation of one route, except its path parameters and its body. */
interface Documentation {
  operationId: string
  summary: string
  description?: string
  /** The documentation of the query parameters. `npm run openapi:check` names one that is missing. */
  query?: Record<string, QueryParameterDoc> | z.ZodObject
  /** True if the response shows one version of a resource and has its etag. */
  etag?: boolean
  /** True if the name in the request may be a former one, or that of a customer that was merged into the one in the response. */
  elsewhere?: boolean
  /** True if the request may be a dry run, whose response has neither an etag nor a token. */
  dryRun?: boolean
  /** The request headers in addition to those that follow from the contract. */
  headers?: RequestHeader[]
  answers: Record<number, ResponseDoc>
  failures?: RouteDoc['failures']
}

/** The documentation of each path parameter: a description of a string, or a schema. */
type PathDoc<Name extends string> = Record<Name, ParameterDoc | z.ZodType>

/** The type of a contract's documentation. It requires `path` or `body` if the contract has them. */
type DocumentationOf<Path extends string, Body extends z.ZodType> = Documentation &
  ([ParamKeys<Path>] extends [never] ? { path?: never } : { path: PathDoc<ParamKeys<Path>> }) &
  (Body extends z.ZodNever ? { body?: BodyDoc } : { body: BodyDoc })

export type Documentations<Contracts> = {
  [Name in keyof Contracts]: Contracts[Name] extends Contract<infer Path, infer _Query, infer Body>
    ? DocumentationOf<Path, Body>
    : never
}

type AnyDocumentation = Documentation & { path?: PathDoc<string>; body?: BodyDoc }

/** Returns the entries of the OpenAPI document for these contracts, by method and path, in the order of the documentation. */
export function documented<const Contracts extends Record<string, AnyContract>>(
  contracts: Contracts,
  docs: Documentations<Contracts>,
): Record<string, RouteDoc> {
  return Object.fromEntries(
    Object.entries<AnyDocumentation>(docs as never).map(([name, doc]) => {
      const contract = contracts[name] as AnyContract
      return [`${contract.method.toUpperCase()} ${contract.path}`, entryOf(contract, doc)]
    }),
  )
}

function entryOf(contract: AnyContract, doc: AnyDocumentation): RouteDoc {
  const { path, query, body, headers = [], answers, ...rest } = doc
  const { stream } = contract
  return {
    ...rest,
    // A streamed response begins before its writes, so their consistency tokens are in its lines and not in a header.
    touches: stream && contract.touches === 'write' ? null : contract.touches,
    scope: contract.scopes.map((scope) => `\`${scope}\``).join(' and ') || undefined,
    role: contract.role ?? undefined,
    conditional: conditionalOf(contract, doc),
    headers: [
      ...headers,
      ...(contract.idempotent ? (['idempotency-key'] as const) : []),
      ...(takesReason(contract) ? (['x-reason'] as const) : []),
    ],
    ...(path && {
      path: z.object(mapValues(path, (doc) => (doc instanceof z.ZodType ? doc : z.string().meta(doc)))),
    }),
    answers: stream ? mapValues(answers, (answer) => ({ ...answer, mediaTypes: [...stream.response] })) : answers,
    ...(contract.query && { query: queryOf(contract.query, query) }),
    ...(contract.body && body && { body: bodyOf(contract.body, body) }),
    ...(stream?.request && body && { body: streamOf(stream.request.mediaTypes, body) }),
  }
}

function conditionalOf({ method, versioned }: AnyContract, { etag }: AnyDocumentation): RouteDoc['conditional'] {
  if (versioned) return 'change'
  return method === 'get' && etag ? 'read' : undefined
}

/** Returns whether the audit log keeps why a caller made this request: it changes something. */
function takesReason({ method, role }: AnyContract): boolean {
  return method !== 'get' && role !== 'viewer'
}

/**
 * Returns the query parameters of the contract with their documentation. A query that JSON schema cannot express is
 * documented by a schema of its own, which is returned unchanged.
 */
function queryOf(schema: z.ZodType, docs: Documentation['query'] = {}): z.ZodObject {
  if (docs instanceof z.ZodObject) return docs
  const shown = Object.entries<z.ZodType>((schema as z.ZodObject).shape).flatMap(([name, field]) => {
    const doc = docs[name] ?? {}
    return doc === 'hidden' ? [] : [[name, withDoc(field, doc)]]
  })
  return z.object(Object.fromEntries(shown))
}

/** Returns the schema of a query whose parameters have the descriptions and examples of these tables. */
export function describedQuery(shape: Record<string, z.ZodType>, docs: FieldDocs): z.ZodObject {
  return z.object(
    mapValues(shape, (schema, name) => {
      const { description = '', example } = docs[name] ?? {}
      return withDoc(schema, { description, ...(example !== undefined && { examples: [example] }) })
    }),
  )
}

/** Puts the example beside the schema of a parameter, because zod leaves out the examples of what is transformed. */
function withDoc(schema: z.ZodType, { examples = [], ...doc }: Partial<ParameterDoc>): z.ZodType {
  const [example] = examples
  const param = { ...(schema.meta()?.param as object), ...(example !== undefined && { example }) }
  return schema.meta({ ...doc, param })
}

/** The named body schemas, by component name, so that two routes with the same schema share one component. */
const named = new Map<string, z.ZodType>()

function streamOf(mediaTypes: readonly string[], { schema = z.string(), examples = {} }: BodyDoc) {
  return { schema, mediaTypes, examples }
}

function bodyOf({ schema, optional }: NonNullable<AnyContract['body']>, { id, example }: BodyDoc) {
  if (id !== undefined && !named.has(id)) named.set(id, schema.meta({ id }))
  return { schema: (id !== undefined && named.get(id)) || schema, optional, example }
}

function mapValues<From, To>(from: Record<string, From>, map: (value: From, key: string) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(from).map(([key, value]) => [key, map(value, key)]))
}
