/**
 * Measures how many bytes of the heap an isolate allocates for a hot read, and a bare Hono route beside it: by V8's inspector,
 * between two collections of garbage. Run it by itself with `node bench/allocation.ts`.
 */
import { Client } from '../test/node/isolates/client.ts'
import { bundle, startCluster } from '../test/node/support/cluster.ts'
import { keepInMemory } from '../test/node/support/memory.ts'
import { median } from './ratio.ts'

const ROUNDS = 40
/** Few enough that most rounds have no collection. */
const READS = 100

export interface Allocation {
  rosterBytes: number
  bareBytes: number
}

export async function measureAllocation(): Promise<Allocation> {
  keepInMemory()
  const worker = {
    modules: true,
    compatibilityDate: '2026-11-01',
    unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
  }
  const script = await bundle('bench/workers/bare.ts')
  const bare = { ...worker, name: 'bare', script, bindings: { BODY: JSON.stringify({ id: 'cust_1' }) } }
  const cluster = await startCluster({ edges: 1, quiet: true, inspected: true, others: [bare] })
  try {
    const client = new Client(cluster)
    const limits = { requests_per_second: 100_000, burst: 200_000, annual_validation_limit: 1e12 }
    const tenant = await client.newTenant({ tier: 'custom', limits })
    const id = await client.newCustomer(tenant, 'user_1')
    const headers = { authorization: `Bearer ${tenant.key}` }
    const inspector = await cluster.miniflare.getInspectorURL()
    const bytesAt = async (name: string, origin: URL) => {
      const heap = await heapOf(new URL(`/core:user:${name}`, inspector))
      const url = new URL(`/v1/customers/${id}`, origin)
      const rounds: number[] = []
      for (let round = 0; round < ROUNDS; round++) {
        const before = await heap.usedBytes()
        for (let read = 0; read < READS; read++) await (await fetch(url, { headers })).arrayBuffer()
        rounds.push((await heap.usedBytes()) - before)
      }
      heap.close()
      // A round with a collection ends with less than it began with.
      return Math.round(median(rounds.filter((bytes) => bytes > 0)) / READS)
    }
    const rosterBytes = await bytesAt('edge-1', cluster.edges[0] as URL)
    return { rosterBytes, bareBytes: await bytesAt('bare', await cluster.urlOf('bare')) }
  } finally {
    await cluster.dispose()
  }
}

interface Heap {
  usedBytes(): Promise<number>
  close(): void
}

async function heapOf(url: URL): Promise<Heap> {
  const socket = new WebSocket(url)
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve)
    socket.addEventListener('error', reject)
  })
  let last = 0
  return {
    usedBytes() {
      const id = ++last
      return new Promise((resolve) => {
        const listen = ({ data }: MessageEvent) => {
          const answer = JSON.parse(String(data)) as { id?: number; result?: { usedSize: number } }
          if (answer.id !== id) return
          socket.removeEventListener('message', listen)
          resolve(answer.result?.usedSize ?? 0)
        }
        socket.addEventListener('message', listen)
        socket.send(JSON.stringify({ id, method: 'Runtime.getHeapUsage' }))
      })
    },
    close: () => socket.close(),
  }
}

if (import.meta.main) console.log(await measureAllocation())
