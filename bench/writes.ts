/**
 * Measures the gain and the cost of group commit: writes a second of 64 concurrent writers against one, over HTTP, and
 * how long a lone write takes with the queue against without. Run it by itself with `node bench/writes.ts`.
 *
 * The gain is measured twice: where a trip to D1 takes no time, and where the gate and D1 are in two zones of a region, as in a
 * deployment they may be. All writers share a trip, so the longer it is, the more a lone one waits for it and the others do not.
 *
 * Roster cannot be called without the queue, so that figure is measured at the queue itself: the same item and the same
 * commit of a few milliseconds, once through the queue and once called directly.
 */
import { WriteQueue } from '../src/gate/object/write-queue.ts'
import { bearer, Client, type Tenant } from '../test/node/isolates/client.ts'
import { type Cluster, startCluster } from '../test/node/support/cluster.ts'
import { distancesOf } from './distance/regions.ts'

const WRITERS = 64
const WARM_UP_MS = 1_000
/** The two are measured in turn, so that other work of the machine affects both. */
const ROUNDS = Number(process.env.ROUNDS ?? 5)
const ROUND_MS = 1_500
/** About as long as a write takes at a local D1. */
const COMMIT_MS = 3
const LONE_COMMITS = 300

export interface WriteFigures {
  local: Gain
  acrossZones: Gain
  /** p50 of a lone write with the queue ÷ without. */
  queueOverNoQueue: number
}

interface Gain {
  /** Writes a second of 64 writers ÷ writes a second of one; the median of the rounds. */
  concurrentOverLone: number
  lonePerSecond: number
  concurrentPerSecond: number
  loneP50Ms: number
  concurrentP50Ms: number
}

interface Round {
  perSecond: number
  p50Ms: number
}

export async function measureWrites(): Promise<WriteFigures> {
  return {
    local: await gainIn(await startCluster({ edges: 1, quiet: true })),
    acrossZones: await gainIn(
      await startCluster({
        edges: 1,
        quiet: true,
        entry: 'bench/workers/distant.ts',
        variables: (name) => ({ DISTANCES: JSON.stringify(distancesOf(name)) }),
      }),
    ),
    queueOverNoQueue: await queueOverNoQueue(),
  }
}

/** Measures in this cluster, and ends it. */
async function gainIn(cluster: Cluster): Promise<Gain> {
  try {
    const limits = { requests_per_second: 100_000, burst: 200_000, annual_commitment: 0 }
    const tenant = await new Client(cluster).newTenant({
      tier: 'custom',
      limits: { ...limits, annual_validation_limit: 1_000_000_000 },
    })
    const ids = await Promise.all(Array.from({ length: WRITERS }, (_, at) => customer(cluster, tenant, at)))
    await write(cluster, tenant, ids, WARM_UP_MS)
    const lone: Round[] = []
    const concurrent: Round[] = []
    for (let round = 0; round < ROUNDS; round++) {
      lone.push(await write(cluster, tenant, ids.slice(0, 1), ROUND_MS))
      concurrent.push(await write(cluster, tenant, ids, ROUND_MS))
    }
    return {
      concurrentOverLone: median(concurrent.map(({ perSecond }, at) => perSecond / (lone[at]?.perSecond ?? 0))),
      lonePerSecond: median(lone.map(({ perSecond }) => perSecond)),
      concurrentPerSecond: median(concurrent.map(({ perSecond }) => perSecond)),
      loneP50Ms: median(lone.map(({ p50Ms }) => p50Ms)),
      concurrentP50Ms: median(concurrent.map(({ p50Ms }) => p50Ms)),
    }
  } finally {
    await cluster.dispose()
  }
}

function customer(cluster: Cluster, tenant: Tenant, at: number): Promise<string> {
  return new Client(cluster).newCustomer(tenant, `writer_${at}`)
}

/** Runs one writer for each customer, which renames it again and again. */
async function write(cluster: Cluster, { key }: Tenant, ids: string[], forMs: number): Promise<Round> {
  const client = new Client(cluster)
  const tookMs: number[] = []
  const startedAtMs = performance.now()
  const untilMs = startedAtMs + forMs
  await Promise.all(
    ids.map(async (id) => {
      for (let name = 0; performance.now() < untilMs; name++) {
        const sentAtMs = performance.now()
        const { status } = await client.send(0, 'PUT', `/v1/customers/${id}`, bearer(key), {
          name: `${sentAtMs} ${name}`,
        })
        if (status !== 200) throw new Error(`a write was answered ${status}`)
        tookMs.push(performance.now() - sentAtMs)
      }
    }),
  )
  return { perSecond: (tookMs.length * 1_000) / (performance.now() - startedAtMs), p50Ms: median(tookMs) }
}

async function queueOverNoQueue(): Promise<number> {
  const commit = async (items: number[]) => {
    await new Promise((resolve) => setTimeout(resolve, COMMIT_MS))
    return items
  }
  const queue = new WriteQueue<number, number>(commit)
  const withQueue: number[] = []
  const without: number[] = []
  for (let at = 0; at < LONE_COMMITS; at++) {
    withQueue.push(await timed(() => queue.add(at, 0)))
    without.push(await timed(() => commit([at])))
  }
  return median(withQueue) / median(without)
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAtMs = performance.now()
  await work()
  return performance.now() - startedAtMs
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
}

if (import.meta.main) console.log(await measureWrites())
