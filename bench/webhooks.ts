/**
 * Measures how many deliveries a receiver gets in a second that answers at once, while events of many customers wait for it: an
 * endpoint, a file of customers that was imported, the local queue, a local D1. Run it by itself with `node bench/webhooks.ts`.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { bearer, Client } from '../test/node/isolates/client.ts'
import { startCluster } from '../test/node/support/cluster.ts'
import { keepInMemory } from '../test/node/support/memory.ts'

const CUSTOMERS = 2_000
/** The last deliveries are not counted: they leave slots empty. */
const LEFT_OUT = 100

/** Returns the deliveries of a second. */
export async function measureWebhooks(): Promise<number> {
  keepInMemory()
  const cluster = await startCluster({ edges: 1, quiet: true })
  const receiver = await countingReceiver()
  try {
    const client = new Client(cluster)
    const tenant = await client.newTenant({ tier: 'enterprise' })
    const subscribed = { url: receiver.url, event_types: ['customer.created'] }
    const made = await client.send(0, 'POST', '/v1/webhooks/endpoints', bearer(tenant.key), subscribed)
    if (made.status !== 201) throw new Error(`no endpoint: ${made.status}`)
    const lines = Array.from({ length: CUSTOMERS }, (_, at) =>
      JSON.stringify({ external_id: `user_${at}`, name: 'Ada' }),
    )
    const headers = { ...bearer(tenant.key), 'content-type': 'application/x-ndjson' }
    const url = new URL('/v1/customers/import', cluster.edges[0])
    const results = await (await fetch(url, { method: 'POST', headers, body: lines.join('\n') })).text()
    if (results.includes('"error"')) throw new Error(`the import failed: ${results}`)
    const [fromMs, before] = [performance.now(), receiver.count()]
    await receiver.until(CUSTOMERS - LEFT_OUT)
    return ((receiver.count() - before) * 1_000) / (performance.now() - fromMs)
  } finally {
    receiver.close()
    await cluster.dispose()
  }
}

async function countingReceiver() {
  let [received, wanted] = [0, Number.POSITIVE_INFINITY]
  const reached = Promise.withResolvers<void>()
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => response.end('ok'))
    if (++received >= wanted) reached.resolve()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks`,
    count: () => received,
    until(count: number) {
      wanted = count
      if (received >= wanted) reached.resolve()
      return reached.promise
    },
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

if (import.meta.main) console.log(await measureWebhooks())
