/**
 * The OpenAPI document describes the app: every route has an entry and every entry a route, and the served file is
 * generated from today's zod schemas. `support/documented.ts` checks real answers against the document in every test of the
 * suite, `examples.test.ts` sends its examples.
 */
import { inspectRoutes } from 'hono/dev'
import { describe, expect, it } from 'vitest'
import { templateOf } from '../../../openapi/build.ts'
import { APIS, FILES, openApiDocument } from '../../../openapi/document.ts'
import packageJson from '../../../package.json'
import document from '../../../public/openapi.json'
import { createApp } from '../../../src/app.ts'
import { services } from '../../../src/composition/services.ts'
import { undocumentedOf } from '../support/documented.ts'
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
  inspectRoutes(createApp(services))
    .filter(({ isMiddleware }) => !isMiddleware)
    .map(({ method, path }) => `${method} ${templateOf(path)}`),
)

describe('the OpenAPI document', () => {
  it('has every route of the app, and every one that is served as a file', () => {
    const documented = operations.map(({ name }) => name)
    const served = [...routed, ...Object.keys(FILES).map((path) => `GET ${path}`)]
    expect(served.filter((name) => !documented.includes(name))).toEqual([])
    expect(documented.filter((name) => !served.includes(name))).toEqual([])
  })

  it('is the file that `npm run openapi` would write now', () => {
    expect(document).toEqual(openApiDocument(packageJson.version))
  })

  it('has no entry twice: no two APIs describe the same route', () => {
    const routes = APIS.flatMap((api) => Object.keys(api.routes))
    expect(new Set(routes).size).toBe(routes.length)
  })
})

describe('an answer is reported as undocumented if it', () => {
  async function read() {
    const { live } = await newTenant()
    const customer = await newCustomer(live.key)
    const path = `/v1/customers/${customer.id}`
    return { path, answered: await call('GET', path, { key: live.key }) }
  }

  it('lacks a field, or has one of another type or one that is not in the document', async () => {
    const { path, answered } = await read()
    const { name: _name, ...without } = answered.body
    expect(undocumentedOf('GET', path, answered)).toEqual([])
    for (const body of [without, { ...answered.body, name: 1 }, { ...answered.body, surprise: true }]) {
      expect(undocumentedOf('GET', path, { ...answered, body })).not.toEqual([])
    }
  })

  it('has an undocumented status or header, or lacks a header', async () => {
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
