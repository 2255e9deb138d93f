/**
 * Compares what the two servers answer, before anything is measured: the same statuses, bodies and headers, except for ids, times and
 * the texts of failures. A server that did less for a request would be no comparison.
 */
import assert from 'node:assert/strict'
import type { Ready } from './pinned.ts'

/** Fields whose values differ between two deployments. */
const OWN = new Set(['id', 'tenant_id', 'created_at', 'updated_at', 'created_by', 'updated_by', 'next_cursor'])
/** Fields of Roster's that the other has no use for: it has one database. */
const ONLY_ROSTER = new Set(['consistency_token', 'import_id'])
/** Headers that every answer has, whichever server sent it. */
const HEADERS = [
  'cache-control',
  'etag',
  'x-content-type-options',
  'ratelimit-policy',
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
]

interface Answer {
  status: number
  headers: Record<string, string | null>
  body: unknown
}

/** Throws an error with both answers if one differs. Returns how many were compared. */
export async function compareAnswers(a: Ready, b: Ready): Promise<number> {
  const [ofA, ofB] = [await answersOf(a), await answersOf(b)]
  for (const [name, answer] of Object.entries(ofA))
    assert.deepEqual(answer, ofB[name], `${name} is answered differently`)
  return Object.keys(ofA).length
}

async function answersOf({ origin, openKey, limitedKey }: Ready): Promise<Record<string, Answer>> {
  const send = async (method: string, path: string, body?: string, headers: Record<string, string> = {}) => {
    const type = path.endsWith('/import') ? 'application/x-ndjson' : 'application/json'
    const response = await fetch(new URL(path, origin), {
      method,
      headers: { authorization: `Bearer ${openKey}`, ...(body !== undefined && { 'content-type': type }), ...headers },
      ...(body !== undefined && { body }),
    })
    return { response, text: await response.text() }
  }
  const answers: Record<string, Answer> = {}
  const look = async (name: string, sent: ReturnType<typeof send>) => {
    const { response, text } = await sent
    const { status } = response
    // How much is left of a limit that refills meanwhile is not compared.
    const headers = Object.fromEntries(HEADERS.map((header) => [header, response.headers.get(header) && header]))
    answers[name] = { status, headers: { ...headers, etag: response.headers.get('etag') }, body: masked(status, text) }
    return text
  }
  const customer = {
    external_id: 'same_1',
    name: 'Acme Corporation',
    email: 'billing@acme.com',
    address_country: 'us',
    timezone: 'europe/berlin',
    metadata: { plan: 'pro' },
  }
  const { id } = JSON.parse(await look('a creation', send('POST', '/v1/customers', JSON.stringify(customer))))
  await look('a second creation', send('POST', '/v1/customers', JSON.stringify(customer)))
  await look('a creation without id', send('POST', '/v1/customers', '{"name":"A"}'))
  await look('a cold read', send('GET', `/v1/customers/${id}`))
  await look('a hot read', send('GET', `/v1/customers/${id}`))
  await look('a read by external id', send('GET', '/v1/customers/external/same_1'))
  await look('a read of what the caller has', send('GET', `/v1/customers/${id}`, undefined, { 'if-none-match': '"1"' }))
  await look('a read of nothing', send('GET', '/v1/customers/cust_01M8GEKB6T784S2SJ02A92HXGN'))
  await look('a list', send('GET', '/v1/customers?limit=50'))
  for (const [name, q] of Object.entries({
    words: 'CORP acme',
    domain: 'acme.c',
    id: id.slice(0, 12),
    nothing: 'acme corpse',
  })) {
    await look(`a search by ${name}`, send('GET', `/v1/customers?q=${encodeURIComponent(q)}`))
  }
  await look('a change', send('PUT', `/v1/customers/${id}`, '{"name":"Acme","contact":"","metadata":{}}'))
  await look('a change of nothing', send('PUT', `/v1/customers/${id}`, '{"name":"Acme"}'))
  await look('a change of version 2', send('PUT', `/v1/customers/${id}`, '{"name":"B"}', { 'if-match': '"2"' }))
  await look('a change of version 1', send('PUT', `/v1/customers/${id}`, '{"name":"C"}', { 'if-match': '"1"' }))
  await look('a wrong address', send('PUT', `/v1/customers/${id}`, '{"email":"acme.com"}'))
  await look('a wrong country', send('PUT', `/v1/customers/${id}`, '{"address_country":"XQ"}'))
  await look('a read of the change', send('GET', `/v1/customers/${id}`))
  const changes = Array.from({ length: 32 }, (_, at) => send('PUT', `/v1/customers/${id}`, `{"name":"Name ${at}"}`))
  const names = (await Promise.all(changes)).map(({ text }) => (JSON.parse(text) as { name: string }).name)
  assert.equal(new Set(names).size, changes.length)
  await look('a last change', send('PUT', `/v1/customers/${id}`, '{"name":"Last"}'))
  await look('a read after changes at once', send('GET', `/v1/customers/${id}`))
  const lines = ['same_1', 'same_2', 'same_2', 'same_3'].map((external_id) =>
    JSON.stringify({ external_id, name: 'I' }),
  )
  await look('an import', send('POST', '/v1/customers/import', [...lines, '{"external_id":""}'].join('\n')))
  await look('a read of the import', send('GET', '/v1/customers/external/same_1'))
  await look('a wrong key', send('GET', `/v1/customers/${id}`, undefined, { authorization: 'Bearer sk_live_none' }))
  const limited = { authorization: `Bearer ${limitedKey}` }
  await Promise.all(Array.from({ length: 5 }, () => send('GET', `/v1/customers/${id}`, undefined, limited)))
  await look('a refusal', send('GET', `/v1/customers/${id}`, undefined, limited))
  return answers
}

/** Returns the body without what belongs to one deployment. A failure counts by its code. */
function masked(status: number, text: string): unknown {
  if (text === '') return null
  if (status >= 400) return (JSON.parse(text) as { code: string }).code
  const lines = text.trimEnd().split('\n')
  return lines.map((line) =>
    JSON.parse(line, (name, value) => {
      if (ONLY_ROSTER.has(name)) return undefined
      if (name === 'errors') return (value as unknown[]).length
      return OWN.has(name) ? typeof value : value
    }),
  )
}
