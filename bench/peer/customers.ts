/** Imports customers into one of the servers, and reads them. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Pinned } from './pinned.ts'

interface Imported {
  ids: string[]
  /** The lines. */
  requests: number
  perSecond: number
}

/** Returns the ids of so many new customers, whose external ids begin with the prefix. Throws if a line was not created. */
export async function importedIds(
  server: Pick<Pinned, 'origin' | 'openKey'>,
  prefix: string,
  customers: number,
): Promise<string[]> {
  return (await importFile(server, prefix, customers)).ids
}

/** Imports so many new customers. Throws if a line was not created. */
export async function importFile(
  { origin, openKey }: Pick<Pinned, 'origin' | 'openKey'>,
  prefix: string,
  customers: number,
): Promise<Imported> {
  const lines = Array.from({ length: customers }, (_, at) => JSON.stringify(customerOf(prefix, at)))
  const startedAtMs = performance.now()
  const response = await fetch(new URL('/v1/customers/import', origin), {
    method: 'POST',
    headers: { authorization: `Bearer ${openKey}`, 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  })
  const results = (await response.text()).trimEnd().split('\n')
  const tookMs = performance.now() - startedAtMs
  const ids = results.map((line) => {
    const { result, id } = JSON.parse(line) as { result: string; id: string }
    if (result !== 'created') throw new Error(`the import failed: ${line}`)
    return id
  })
  if (ids.length !== customers) throw new Error(`${ids.length} of ${customers} lines have a result`)
  return { ids, requests: customers, perSecond: (customers * 1_000) / tookMs }
}

function customerOf(prefix: string, at: number): object {
  return {
    external_id: `${prefix}_${at}`,
    name: `Customer ${at}`,
    email: `${prefix}_${at}@example.com`,
    contact: '+49 30 901820',
    address_line1: `${at} Main Street`,
    address_city: 'Berlin',
    address_postal_code: '10115',
    address_country: 'DE',
    timezone: 'Europe/Berlin',
    metadata: { plan: 'pro', seats: String(at % 100) },
  }
}

const READERS = 16
const RETRIES_MAX = 100

/** Reads each customer once, so that the server has cached it. Throws if one was not found. */
export async function readAll(
  { origin, openKey }: Pick<Pinned, 'origin' | 'openKey'>,
  ids: readonly string[],
): Promise<void> {
  const left = [...ids]
  let retries = RETRIES_MAX
  const reader = async () => {
    for (let id = left.pop(); id !== undefined; id = left.pop()) {
      const headers = { authorization: `Bearer ${openKey}` }
      const response = await fetch(new URL(`/v1/customers/${id}`, origin), { headers })
      await response.arrayBuffer()
      if (response.status === 503 && retries-- > 0) {
        // A server that is still starting says when to come back.
        await pause(1_000 * Number(response.headers.get('retry-after') ?? 1))
        left.push(id)
      } else if (!response.ok) throw new Error(`a read was answered ${response.status}`)
    }
  }
  await Promise.all(Array.from({ length: READERS }, reader))
}
