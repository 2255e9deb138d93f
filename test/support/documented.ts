/**
 * Holds every answer that a test sees against the OpenAPI document: the status is documented, the body is as its schema
 * says with no field more, the headers are the documented ones. `roster.ts` asks for it; a route without an entry is found
 * by `openapi/routes.test.ts`.
 */
import { type Schema, Validator } from '@cfworker/json-schema'
import document from '../../public/openapi.json'

// biome-ignore lint/suspicious/noExplicitAny: a document of many shapes, read by name
type Json = any

/** Of the transport, on whatever answers. */
const UNDOCUMENTED_HEADERS = new Set(['content-type', 'content-length'])

const { paths, components } = document as Json
/** The published schemas leave room for fields to come; a test wants to know of each. */
const closedComponents = { schemas: closed(components.schemas) }
const validators = new Map<string, Validator>()

const templates = Object.keys(paths)
  .map((path) => ({ path, pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`) }))
  // A fixed word is taken before a parameter, as the router does.
  .sort((a, b) => placesOf(a.path) - placesOf(b.path))

export interface Answered {
  status: number
  headers: Headers
  text: string
  body: unknown
}

/** Throws when the document says otherwise. `path` may have a query string. */
export function expectAsDocumented(method: string, path: string, answered: Answered): void {
  const problems = undocumentedOf(method, path, answered)
  if (problems.length === 0) return
  const request = `${method} ${path} answered ${answered.status}`
  throw new Error(`${request}, which public/openapi.json does not say: ${problems.join('; ')}\n${answered.text}`)
}

export function undocumentedOf(method: string, path: string, { status, headers, text, body }: Answered): string[] {
  const [pathname = ''] = path.split('?')
  const template = templates.find(({ pattern }) => pattern.test(pathname))?.path
  const operation = template && paths[template][method === 'HEAD' ? 'get' : method.toLowerCase()]
  if (!operation) return []
  const response = resolved(operation.responses[status])
  if (!response) return [`status ${status} is not documented`]
  const problems = headerProblems(response.headers ?? {}, headers)
  const contentType = headers.get('content-type') ?? ''
  const content = Object.entries<Json>(response.content ?? {}).find(([type]) => contentType.startsWith(type))
  if (method === 'HEAD') return problems
  if (!response.content) return text === '' ? problems : [...problems, 'a body is not documented']
  if (!content) return [...problems, `content-type ${contentType} is not documented`]
  const [mediaType, { schema }] = content
  if (mediaType !== 'application/json') return problems
  return [...problems, ...schemaProblems(schema, body)]
}

/** What is wrong with a value; `schema` is one of the document. */
export function schemaProblems(schema: Json, value: unknown): string[] {
  const key = JSON.stringify(schema)
  const validator =
    validators.get(key) ??
    new Validator({ ...closed(schema), components: closedComponents } as Schema, '2020-12', false)
  validators.set(key, validator)
  return validator.validate(value).errors.map(({ instanceLocation, error }) => `${instanceLocation}: ${error}`)
}

/** A part of the document, or what it refers to. */
export function resolved(part: Json): Json {
  const reference: string | undefined = part?.$ref
  if (reference === undefined) return part
  return reference
    .slice(2)
    .split('/')
    .reduce((at, name) => at?.[name], document as Json)
}

function headerProblems(documented: Json, headers: Headers): string[] {
  const missing = Object.entries<Json>(documented)
    .filter(([name, header]) => resolved(header).required && !headers.has(name))
    .map(([name]) => `the header ${name} is missing`)
  const unknown = [...headers.keys()]
    .filter((name) => !UNDOCUMENTED_HEADERS.has(name) && !Object.hasOwn(documented, name))
    .map((name) => `the header ${name} is not documented`)
  return [...missing, ...unknown]
}

function closed(part: Json): Json {
  if (Array.isArray(part)) return part.map(closed)
  if (typeof part !== 'object' || part === null) return part
  const copy = Object.fromEntries(Object.entries(part).map(([name, inner]) => [name, closed(inner)]))
  const isObject = part.type === 'object' && part.properties && part.additionalProperties === undefined
  return isObject ? { ...copy, additionalProperties: false } : copy
}

function placesOf(path: string): number {
  return path.split('{').length
}
