/**
 * The worst that one tenant can send, each as a function that sends one request. A request that is refused is as good an
 * attack as any other: what counts is what it costs the others.
 */

/** The attacker, with all that it has before it begins. */
export interface Attacker {
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>
  /** Sends a text as it is. */
  upload(path: string, text: string, type?: string): Promise<Response>
  /** Ids of its customers, of which the first has many children. */
  ids: readonly string[]
  /** Ids of its endpoints, none of which responds. */
  endpoints: readonly string[]
  /** A key that was revoked. */
  revoked: string
}

type Send = (attacker: Attacker, n: number) => Promise<Response>

export interface Attack {
  send: Send
  /** The tenant that sends it: `plain` if left out, or the one whose endpoints never answer. */
  by?: 'plain' | 'deliveries'
}

const METADATA_PAIRS = Object.fromEntries(Array.from({ length: 49 }, (_, at) => [`k${at}`, 'v']))
const LINES = 500
const WORKFLOW = { onboarding_workflow_name: 'there_is_none' }

function lines(of: (at: number) => object): string {
  return Array.from({ length: LINES }, (_, at) => JSON.stringify(of(at))).join('\n')
}

function search(body: object): Send {
  return ({ send }) => send('POST', '/v1/customers/search', body)
}

function get(path: string): Send {
  return ({ send }) => send('GET', path)
}

const sortedBy = (field: string) => [{ field, direction: 'asc' }]
const contains = (field: string, value: string) => ({
  field,
  operator: 'contains',
  data_type: 'string',
  value: { string: value },
})
const at = <Item>(items: readonly Item[], n: number): Item => items[n % items.length] as Item

const PLAIN: Readonly<Record<string, Send>> = {
  'search by 50 metadata pairs that none has': search({ limit: 1, metadata: { ...METADATA_PAIRS, none: 'x' } }),
  'search by one metadata pair that none has': search({ limit: 1, metadata: { none: 'x' } }),
  'search by 30 texts that a name contains': search({
    limit: 1,
    filters: Array.from({ length: 30 }, (_, n) => contains('name', `x${n}`)),
  }),
  'search by a text that no e-mail address contains': search({ limit: 1, filters: [contains('email', 'zzzz')] }),
  'search sorted by name': search({ limit: 1000, sort: sortedBy('name') }),
  'search sorted by e-mail address': search({ limit: 1000, sort: sortedBy('email') }),
  'search sorted by the time of the update': search({ limit: 1000, sort: sortedBy('updated_at') }),
  'search of one letter': get('/v1/customers?q=c'),
  'search of two words that never meet': get('/v1/customers?q=customer%20zzzz'),
  'list of 1,000': get('/v1/customers?limit=1000'),
  'list of archived ones': get('/v1/customers?status=archived&limit=1000'),
  'list with every expansion': get('/v1/customers?limit=100&expand=children,parent_customer,integrations,aliases'),
  'list at a far offset': get('/v1/customers?limit=1&offset=100000'),
  'children of one customer': ({ send, ids }) => send('GET', `/v1/customers?parent_customer_id=${ids[0]}&limit=1000`),
  'export as NDJSON': get('/v1/customers/export?format=ndjson'),
  'export as CSV': get('/v1/customers/export?format=csv'),
  'events of one type that is rare': get('/v1/events?type=customer.erased&limit=100'),
  'events of one customer': ({ send, ids }, n) => send('GET', `/v1/customers/${at(ids, n)}/events?limit=100`),
  'import of lines that a rule refuses': ({ upload }, n) =>
    upload(
      '/v1/customers/import',
      lines((line) => ({ external_id: `refused_${n}_${line}`, ...WORKFLOW })),
    ),
  'import of which every other line is refused': ({ upload }, n) =>
    upload(
      '/v1/customers/import',
      lines((line) => ({ external_id: `half_${n}_${line}`, ...(line % 2 === 0 && WORKFLOW) })),
    ),
  'import of lines that depend on each other': ({ upload }, n) =>
    upload(
      '/v1/customers/import',
      lines((line) => ({
        external_id: `chain_${n}_${line}`,
        ...(line % 9 > 0 && { parent_customer_external_id: `chain_${n}_${line - 1}` }),
      })),
    ),
  'import of the same customer again and again': ({ upload }, n) =>
    upload(
      '/v1/customers/import',
      lines((line) => ({ external_id: `same_${n}`, name: `Name ${line}` })),
    ),
  'import of blank lines': ({ upload }) => upload('/v1/customers/import', '\n'.repeat(2_000_000)),
  'dry run of an import': ({ upload }, n) =>
    upload(
      '/v1/customers/import?dry_run=true',
      lines((line) => ({ external_id: `dry_${n}_${line}` })),
    ),
  'changes of one customer': ({ send, ids }, n) => send('PUT', `/v1/customers/${ids[1]}`, { name: `Name ${n}` }),
  'changes as large as may be': ({ send, ids }, n) =>
    send('PUT', `/v1/customers/${ids[2]}`, {
      metadata: Object.fromEntries(Array.from({ length: 50 }, (_, key) => [`k${key}`, `${n}`.padEnd(500, 'x')])),
    }),
  'move of a customer with many below it': ({ send, ids }, n) =>
    send('PUT', `/v1/customers/${ids[0]}`, { parent_customer_id: n % 2 === 0 ? ids[3] : null }),
  'archiving and restoring': ({ send, ids }, n) =>
    n % 2 === 0 ? send('DELETE', `/v1/customers/${ids[4]}`) : send('POST', `/v1/customers/${ids[4]}/restore`),
  'erasures of new customers': async ({ send }, n) => {
    const made = await send('POST', '/v1/customers', { external_id: `erased_${n}_${Math.random()}` })
    const { id } = (await made.json()) as { id?: string }
    return send('POST', `/v1/customers/${id}/erase`)
  },
  'reads with a revoked key': ({ send, ids, revoked }) =>
    send('GET', `/v1/customers/${ids[0]}`, undefined, { authorization: `Bearer ${revoked}` }),
  'writes of 200 KB with a revoked key': ({ send, revoked }, n) =>
    send(
      'POST',
      '/v1/customers',
      { external_id: `x${n}`, name: 'x'.repeat(200_000) },
      { authorization: `Bearer ${revoked}` },
    ),
  'JSON as deep as a body may be': ({ upload }) =>
    upload('/v1/customers', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, 'application/json'),
  'requests for no route': get('/v1/nowhere'),
}

/** Sent last: what they leave under way goes on for long. */
const DELIVERIES: Readonly<Record<string, Send>> = {
  'redelivery of everything': ({ send, endpoints }, n) =>
    send('POST', `/v1/webhooks/endpoints/${at(endpoints, n)}/redeliver`, { since: '2020-01-01T00:00:00Z' }),
  'retries to endpoints that never answer': ({ send, endpoints }, n) =>
    send('POST', `/v1/webhooks/endpoints/${at(endpoints, n)}/retry`),
  'deliveries of an endpoint': ({ send, endpoints }, n) =>
    send('GET', `/v1/webhooks/endpoints/${at(endpoints, n)}/deliveries?status=failed`),
  'changes with five endpoints that never answer': ({ upload }, n) =>
    upload(
      '/v1/customers/import',
      lines((line) => ({ external_id: `user_${line % 200}`, name: `Name ${n} ${line}` })),
    ),
}

export const ATTACKS: Readonly<Record<string, Attack>> = {
  ...Object.fromEntries(Object.entries(PLAIN).map(([name, send]) => [name, { send }])),
  ...Object.fromEntries(Object.entries(DELIVERIES).map(([name, send]) => [name, { send, by: 'deliveries' as const }])),
}
