/**
 * The OpenAPI document and the app say the same: every route has an entry and every entry a route, the served file is what
 * the doors' zod says today, and what it shows as an example is one. That real answers are as documented is seen to by
 * `support/documented.ts`, in every test of the suite.
 */
import { inspectRoutes } from 'hono/dev'
import { describe, expect, it } from 'vitest'
import packageJson from '../../package.json'
import document from '../../public/openapi.json'
import { createApp } from '../../src/http/app.ts'
import { templateOf } from '../../src/http/openapi.ts'
import { DOORS, FILES, openApiDocument } from '../../src/http/openapi-document.ts'
import { wiring } from '../../src/wiring.ts'
import { resolved, schemaProblems, undocumentedOf } from '../support/documented.ts'
import { call, newCustomer, newTenant } from '../support/roster.ts'

// biome-ignore lint/suspicious/noExplicitAny: a document of many shapes, read by name
type Json = any

const METHODS = ['get', 'put', 'post', 'patch', 'delete']

const operations = Object.entries<Json>(document.paths).flatMap(([path, item]) =>
  METHODS.filter((method) => item[method]).map((method) => ({
    name: `${method.toUpperCase()} ${path}`,
    operation: item[method],
  })),
)

const routed = new Set(
  inspectRoutes(createApp(wiring))
    .filter(({ isMiddleware }) => !isMiddleware)
    .map(({ method, path }) => `${method} ${templateOf(path)}`),
)

describe('the OpenAPI document', () => {
  it('has every route of the app, and of what is served as a file', () => {
    const documented = operations.map(({ name }) => name)
    const served = [...routed, ...Object.keys(FILES).map((path) => `GET ${path}`)]
    expect(served.filter((name) => !documented.includes(name))).toEqual([])
    expect(documented.filter((name) => !served.includes(name))).toEqual([])
  })

  it('is the file that `npm run openapi` would write now', () => {
    expect(document).toEqual(openApiDocument(packageJson.version))
  })

  it('names each operation once', () => {
    const ids = operations.map(({ operation }) => operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.length).toBeGreaterThan(25)
  })

  it('has no entry twice: doors do not describe the same route', () => {
    const routes = DOORS.flatMap((door) => Object.keys(door.routes))
    expect(new Set(routes).size).toBe(routes.length)
  })
})

describe('every example', () => {
  const bodies = operations.flatMap(({ name, operation }) => {
    const request = Object.entries<Json>(operation.requestBody?.content ?? {})
    const answers = Object.entries<Json>(operation.responses).flatMap(([status, response]) =>
      Object.entries<Json>(resolved(response).content ?? {}).map(([type, content]) => ({
        at: `${status} ${type}`,
        content,
      })),
    )
    return [...request.map(([type, content]) => ({ at: type, content })), ...answers]
      .filter(({ at }) => at.endsWith('application/json'))
      .map(({ at, content }) => ({ name: `${name} ${at}`, content }))
  })

  it('is of the form that its schema describes', () => {
    const wrong = bodies.flatMap(({ name, content }) => {
      const examples = [
        ...(content.example === undefined ? [] : [content.example]),
        ...Object.values<Json>(content.examples ?? {}).map(({ value }) => value),
      ]
      return examples.flatMap((example) =>
        schemaProblems(content.schema, example).map((problem) => `${name} ${problem}`),
      )
    })
    expect(wrong).toEqual([])
  })

  it('is there: each body, but for that of the document itself, has one', () => {
    const without = bodies.filter(({ content }) => content.example === undefined && !content.examples)
    expect(without.map(({ name }) => name)).toEqual(['GET /openapi.json 200 application/json'])
  })

  it('of a request to create is one that the door takes', async () => {
    const { live } = await newTenant()
    const example = (path: string) =>
      (document.paths as Json)[path].post.requestBody.content['application/json'].example
    for (const path of ['/v1/customers', '/customers']) {
      const body = { ...example(path), ...(path === '/customers' && { reference_id: 'another' }) }
      expect([path, (await call('POST', path, { key: live.key, body })).status]).toEqual([path, 201])
    }
    const search = await call('POST', '/v1/customers/search', { key: live.key, body: example('/v1/customers/search') })
    expect(search.body.items).toHaveLength(1)
  })
})

describe('an answer that is not as documented is found', () => {
  async function read() {
    const { live } = await newTenant()
    const customer = await newCustomer(live.key)
    const path = `/v1/customers/${customer.id}`
    return { path, answered: await call('GET', path, { key: live.key }) }
  }

  it('when a field is missing, of another type, or more than there should be', async () => {
    const { path, answered } = await read()
    const { name: _name, ...without } = answered.body
    expect(undocumentedOf('GET', path, answered)).toEqual([])
    for (const body of [without, { ...answered.body, name: 1 }, { ...answered.body, surprise: true }]) {
      expect(undocumentedOf('GET', path, { ...answered, body })).not.toEqual([])
    }
  })

  it('when its status or one of its headers is not documented, or a header is missing', async () => {
    const { path, answered } = await read()
    expect(undocumentedOf('GET', path, { ...answered, status: 418 })).toEqual(['status 418 is not documented'])
    const more = new Headers(answered.headers)
    more.set('x-powered-by', 'surprise')
    expect(undocumentedOf('GET', path, { ...answered, headers: more })).toEqual([
      'the header x-powered-by is not documented',
    ])
    const fewer = new Headers(answered.headers)
    fewer.delete('ratelimit')
    expect(undocumentedOf('GET', path, { ...answered, headers: fewer })).toEqual(['the header ratelimit is missing'])
  })
})
