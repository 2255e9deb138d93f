/**
 * Checks every answer that a test receives against the OpenAPI document: the status is documented, the body matches its
 * schema with no field more, the headers are the documented ones. `roster.ts` calls it; `test/workers/openapi`
 * finds a route without an entry.
 */
import { type Json, resolved as resolvedIn, schemaChecker } from '../../../openapi/json-schema.ts'
import document from '../../../public/openapi.json'

/** Headers of the transport, which any answer may have. */
const UNDOCUMENTED_HEADERS = new Set(['content-type', 'content-length'])

const { paths } = document as Json
/** Returns how a value differs from a schema of the document. */
export const schemaProblems = schemaChecker(document)

const templates = Object.keys(paths)
  .map((path) => ({ path, pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`) }))
  // A fixed segment comes before a parameter, as in the router.
  .sort((a, b) => placesOf(a.path) - placesOf(b.path))

/** Headers of every response of the v1 API to a tenant. An operator who acts as one gets none of them. */
const LIMITED = ['ratelimit-policy', 'ratelimit', 'x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset']

export interface HttpAnswer {
  status: number
  headers: Headers
  text: string
  body: unknown
  /** True if an operator has sent the request as a tenant. */
  isActedAs?: boolean
}

/** Throws when the document differs. `path` may have a query string. */
export function expectAsDocumented(method: string, path: string, answered: HttpAnswer): void {
  const problems = undocumentedOf(method, path, answered)
  if (problems.length === 0) return
  const request = `${method} ${path} answered ${answered.status}`
  throw new Error(`${request}, which public/openapi.json does not say: ${problems.join('; ')}\n${answered.text}`)
}

export function undocumentedOf(method: string, path: string, answered: HttpAnswer): string[] {
  const { status, headers, text, body, isActedAs = false } = answered
  const [pathname = ''] = path.split('?')
  const template = templates.find(({ pattern }) => pattern.test(pathname))?.path
  const operation = template && paths[template][method === 'HEAD' ? 'get' : method.toLowerCase()]
  if (!operation) return []
  const response = resolved(operation.responses[status])
  if (!response) return [`status ${status} is not documented`]
  const problems = headerProblems(response.headers ?? {}, headers)
  if (status < 400 && !isActedAs) {
    const limited = LIMITED.filter((name) => Object.hasOwn(response.headers ?? {}, name) && !headers.has(name))
    problems.push(...limited.map((name) => `the header ${name} is missing`))
  }
  const contentType = headers.get('content-type') ?? ''
  const content = Object.entries<Json>(response.content ?? {}).find(([type]) => contentType.startsWith(type))
  if (method === 'HEAD') return problems
  if (!response.content) return text === '' ? problems : [...problems, 'a body is not documented']
  if (!content) return [...problems, `content-type ${contentType} is not documented`]
  const [mediaType, { schema }] = content
  if (mediaType !== 'application/json') return problems
  return [...problems, ...schemaProblems(schema, body)]
}

/** Returns a part of the document, or the part that it refers to. */
export function resolved(part: Json): Json {
  return resolvedIn(document, part)
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

function placesOf(path: string): number {
  return path.split('{').length
}
