/** The two deployments of `npm run bench:distance`: Roster with a Worker in each region, and the server with its stores in one. */
import { Client } from '../../test/node/isolates/client.ts'
import { startCluster } from '../../test/node/support/cluster.ts'
import { startPinned } from '../peer/pinned.ts'
import type { Deployment } from './clients.ts'
import { distancesOf, type Outage, REGIONS, TO_EDGE_MS } from './regions.ts'

export interface Running extends Deployment {
  /** The server of the primary region, and the isolates of all regions. Each remembers by itself what it read. */
  origins: string[]
  /** Begins an outage, which ends after so many milliseconds. */
  beginOutage(of: Outage, ms: number): Promise<void>
  stop(): Promise<void>
}

/** Starts the server of `bench/peer`, which all regions ask. */
export async function runPeer(): Promise<Running> {
  const server = await startPinned('peer')
  let cutOffUntilMs = 0
  return {
    key: server.openKey,
    origins: [server.origin],
    originFor: () => server.origin,
    roundTripMs: ({ toPrimaryMs }) => toPrimaryMs,
    isCutOff: () => performance.now() < cutOffUntilMs,
    async beginOutage(of, ms) {
      if (of === 'region') cutOffUntilMs = performance.now() + ms
      else server.send({ freezeMs: ms })
    },
    stop: () => server.stop(),
  }
}

/** Starts a Worker of Roster for each region. */
export async function runRoster(): Promise<Running> {
  const cluster = await startCluster({
    edges: REGIONS.length,
    quiet: true,
    entry: 'bench/workers/distant.ts',
    variables: (name) => ({ DISTANCES: JSON.stringify(distancesOf(name)) }),
  })
  const client = new Client(cluster)
  const limits = { requests_per_second: 100_000, burst: 1_000_000, annual_validation_limit: 1e12, storage_bytes: 1e10 }
  const { key } = await client.newTenant({ tier: 'custom', limits })
  const origins = cluster.edges.map(({ href }) => href)
  return {
    key,
    origins,
    originFor: (region) => origins[region] as string,
    roundTripMs: () => TO_EDGE_MS,
    isCutOff: () => false,
    async beginOutage(of, ms) {
      const home = (await cluster.urlOf('home')).href
      // The gates themselves go on in an outage of their region, which nobody outside of it sees.
      const cut = of === 'region' ? origins : [...origins, home]
      await Promise.all(cut.map((origin) => fetch(new URL(`/outage?of=${of}&ms=${ms}`, origin))))
    },
    stop: () => cluster.dispose(),
  }
}
