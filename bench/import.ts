/**
 * Measures how many customers an import creates in a second, and how many an undo of an import reverts, over HTTP: one isolate, one gate, a local D1, a file of
 * customers as a billing system has them. Run it by itself with `node bench/import.ts`.
 */
import { Client } from '../test/node/isolates/client.ts'
import { startCluster } from '../test/node/support/cluster.ts'

const CUSTOMERS = 20_000
/** The id of the import that is undone. */
const WRONG_IMPORT = 'wrong-import'

export interface ImportRates {
  perSecond: number
  unchangedPerSecond: number
  undonePerSecond: number
  /** The rate of the undo, as a multiple of the import's in the same run. */
  undonePerCreated: number
}

export async function measureImport(): Promise<ImportRates> {
  const cluster = await startCluster({ edges: 1 })
  try {
    const tenant = await new Client(cluster).newTenant({ tier: 'enterprise' })
    const url = new URL('/v1/customers/import', cluster.edges[0])
    await send(url, tenant.key, fileOf('warm', 1_000))
    const file = fileOf('user', CUSTOMERS)
    const perSecond = await send(url, tenant.key, file)
    const unchangedPerSecond = await send(url, tenant.key, file)
    await send(url, tenant.key, file.replaceAll('"Berlin"', '"Bonn"'), WRONG_IMPORT)
    const undonePerSecond = await undo(new URL('/v1/undo', url), tenant.key)
    return { perSecond, unchangedPerSecond, undonePerSecond, undonePerCreated: undonePerSecond / perSecond }
  } finally {
    await cluster.dispose()
  }
}

function fileOf(prefix: string, customers: number): string {
  const lines = Array.from({ length: customers }, (_, at) =>
    JSON.stringify({
      external_id: `${prefix}_${at}`,
      name: `Customer ${at}`,
      email: `${prefix}_${at}@example.com`,
      contact: '+49 30 901820',
      address_line1: `${at} Main Street`,
      address_city: 'Berlin',
      address_postal_code: '10115',
      address_country: 'DE',
      timezone: 'Europe/Berlin',
      metadata: { plan: 'pro', leaseHolders: at % 100 },
    }),
  )
  return lines.join('\n')
}

/** Returns the lines that one import processes in a second. */
async function send(url: URL, key: string, file: string, requestId: string | null = null): Promise<number> {
  const startedAtMs = performance.now()
  const headers = {
    authorization: `Bearer ${key}`,
    'content-type': 'application/x-ndjson',
    ...(requestId !== null && { 'x-request-id': requestId }),
  }
  const answer = await fetch(url, { method: 'POST', headers, body: file })
  const results = (await answer.text()).trimEnd().split('\n')
  const failed = results.find((line) => line.includes('"result":"error"')) ?? (answer.ok ? undefined : results[0])
  if (failed) throw new Error(`the import failed: ${failed}`)
  return (results.length * 1_000) / (performance.now() - startedAtMs)
}

/** Returns the customers that the undo of the wrong import reverts in a second. */
async function undo(url: URL, key: string): Promise<number> {
  const startedAtMs = performance.now()
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ import_id: WRONG_IMPORT, since: '2020-01-01' })
  const answer = await fetch(url, { method: 'POST', headers, body })
  const last = (await answer.text()).trimEnd().split('\n').at(-1) ?? ''
  if (!last.includes(`"reverted":${CUSTOMERS}`)) throw new Error(`the undo failed: ${last}`)
  return (CUSTOMERS * 1_000) / (performance.now() - startedAtMs)
}

if (import.meta.main) console.log(await measureImport())
