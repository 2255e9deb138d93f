/** The loads of `npm run bench:peer`, each for both servers alike. */
import type { Plan, Template } from './load.ts'
import type { Pinned } from './pinned.ts'

/** Customers of the loads that read what was read before. */
export const READ_BEFORE = 1_000
/** More customers than a server can read in `COLD_SECONDS`. */
export const IMPORTED = 12_000
export const COLD_SECONDS = 2

/** The customers of a server that loads choose from. */
export interface Known {
  /** Ids that every warm load reads. */
  base: readonly string[]
  /** Ids that this round imported, and that nothing has read. */
  unread: readonly string[]
  round: number
}

export interface LoadKind {
  name: string
  /** True if the answers are refusals. */
  isRefused?: boolean
  /** True if each customer is read once before. */
  isReadBefore?: boolean
  plan(server: Pinned, known: Known, seconds: number): Plan
}

const READ: Template = { weight: 100, method: 'GET', path: '/v1/customers/{id}', body: '' }
const LIST: Template = { ...READ, path: '/v1/customers?limit=50' }
const CHANGE: Template = { ...READ, method: 'PUT', body: '{"name":"Name {n}"}' }
const CREATE: Template = {
  weight: 100,
  method: 'POST',
  path: '/v1/customers',
  body: '{"external_id":"{n}","name":"Acme Corporation","email":"billing@acme.com","address_country":"US","metadata":{"plan":"pro"}}',
}

export const LOADS: readonly LoadKind[] = [
  warm('one customer, read before, 32 connections', [READ], 32, 1),
  warm('1,000 customers, read before, 32', [READ], 32),
  {
    name: 'customers that nobody has read, 32',
    plan: (server, { unread, round }) => ({
      ...common(server, 'cold', round),
      templates: [READ],
      ids: unread,
      connections: 32,
      seconds: COLD_SECONDS,
    }),
  },
  warm('a list of 50, 32', [LIST], 32),
  warm(
    '95 % reads, 5 % changes of 1,000 customers, 32',
    [
      { ...READ, weight: 95 },
      { ...CHANGE, weight: 5 },
    ],
    32,
  ),
  warm('a change, 1', [CHANGE], 1),
  warm('a change, 32', [CHANGE], 32),
  warm('a creation, 1', [CREATE], 1),
  warm('a creation, 32', [CREATE], 32),
  {
    name: 'a refusal at the limit, 32',
    isRefused: true,
    plan: (server, { base, round }, seconds) => ({
      ...common(server, 'refused', round),
      key: server.limitedKey,
      templates: [READ],
      ids: base.slice(0, 1),
      connections: 32,
      seconds,
    }),
  },
]

function warm(name: string, templates: readonly Template[], connections: number, idsMax = READ_BEFORE): LoadKind {
  return {
    name,
    isReadBefore: templates.some(({ path, method }) => method === 'GET' && path === READ.path),
    plan: (server, { base, round }, seconds) => ({
      ...common(server, `${name}_${connections}`, round),
      templates,
      ids: base.slice(0, idsMax),
      connections,
      seconds,
    }),
  }
}

function common({ openKey }: Pinned, name: string, round: number): Pick<Plan, 'key' | 'prefix'> {
  return { key: openKey, prefix: `${name.replaceAll(/[^a-z0-9]+/g, '_')}_${round}_` }
}
