/** A hot read that memory answers waits for no promise, from the first middleware to the response. */
import { createExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import worker from '../../../src/index.ts'
import { newCustomer, newTenant, requestTo } from '../support/roster.ts'

/** A lease may end between two reads, and then the second one waits for the next. */
const ATTEMPTS_MAX = 50

it.each([
  ['by id', ({ id }: { id: string }) => `/v1/customers/${id}`, {}, 200],
  ['by external id', () => '/v1/customers/external/at_once', {}, 200],
  ['that is not modified', ({ id }: { id: string }) => `/v1/customers/${id}`, { 'if-none-match': '*' }, 304],
])('is answered at once: one %s', async (_, pathOf, more, status) => {
  const { live } = await newTenant()
  const path = pathOf(await newCustomer(live.key, { external_id: 'at_once' }))
  const headers = { authorization: `Bearer ${live.key}`, ...more }
  const read = () => worker.fetch(requestTo(path, { headers }), env, createExecutionContext())
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    await read()
    const answer: unknown = read()
    if (!(answer instanceof Response)) continue
    expect([answer.status, answer.headers.get('cache-status')]).toEqual([status, 'roster; hit; detail=memory'])
    return
  }
  throw new Error(`none of ${ATTEMPTS_MAX} reads was answered at once`)
})
