/**
 * A contract without documentation, documentation without a contract, and documentation of another form than its contract's
 * do not compile: `tsc` fails on a `@ts-expect-error` that expects nothing.
 */
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { documented } from '../../../openapi/documented.ts'
import { contract } from '../../../src/http/contract.ts'

const READS = { method: 'get', scope: 'customers:read', touches: 'read' } as const
const contracts = {
  list: contract({ ...READS, path: '/things', query: () => z.strictObject({ limit: z.string().optional() }) }),
  get: contract({ ...READS, path: '/things/:id' }),
  create: contract({
    method: 'post',
    path: '/things',
    scope: ['customers:write', 'webhooks:manage'],
    touches: null,
    body: { schema: () => z.object({ name: z.string() }) },
    idempotent: true,
  }),
}

const doc = { operationId: 'x', summary: 'x', answers: { 200: { description: 'x' } } }
const list = { ...doc, query: { limit: { description: 'How many.' } } }
const get = { ...doc, path: { id: { description: 'The id.' } } }
const create = { ...doc, body: { example: { name: 'x' } } }

describe('the documentation of contracts', () => {
  it('takes method, path, scopes, query, body and idempotency from the contracts', () => {
    const routes = documented(contracts, { list, get, create })
    expect(Object.keys(routes)).toEqual(['GET /things', 'GET /things/:id', 'POST /things'])
    expect(routes['POST /things']).toMatchObject({
      scope: '`customers:write` and `webhooks:manage`',
      touches: null,
      role: 'admin',
      headers: ['idempotency-key', 'x-reason'],
      body: { schema: contracts.create.body?.schema },
    })
    expect(Object.keys(routes['GET /things']?.query?.shape ?? {})).toEqual(['limit'])
    expect(Object.keys(routes['GET /things/:id']?.path?.shape ?? {})).toEqual(['id'])
  })

  it('does not compile when it is missing, surplus or of another form', () => {
    const wrong = () => {
      // @ts-expect-error a contract has no documentation
      documented(contracts, { list, get })
      // @ts-expect-error documentation has no contract
      documented(contracts, { list, get, create, remove: doc })
      // @ts-expect-error a path parameter has no documentation
      documented(contracts, { list, get: doc, create })
      // @ts-expect-error documentation names another path parameter
      documented(contracts, { list, get: { ...doc, path: { key: { description: 'x' } } }, create })
      // @ts-expect-error a body has no example
      documented(contracts, { list, get, create: doc })
    }
    expect(wrong).toBeTypeOf('function')
  })
})
