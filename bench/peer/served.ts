/**
 * One of the two servers, in a process of its own: `node bench/peer/served.ts peer` or `… roster`. Sends `Ready` to its parent, and
 * ends with it. The message `{ freezeMs }` stops PostgreSQL for that long: its clients get no answer.
 */
import { bearer, Client } from '../../test/node/isolates/client.ts'
import { bundle, startCluster } from '../../test/node/support/cluster.ts'
import { keepInMemory } from '../../test/node/support/memory.ts'
import type { Ready } from './pinned.ts'
import { startPeer } from './server/start.ts'

/** Higher than what a core can answer. */
const OPEN = { ratePerSecond: 100_000, burst: 1_000_000 }
const LIMITED = { ratePerSecond: 1, burst: 1 }

// The disk of this machine is no part of what is measured.
keepInMemory()
const { ready, stop } = await (process.argv[2] === 'peer' ? servePeer() : serveRoster())
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
process.once('disconnect', () => void stop().finally(() => process.exit()))
process.send?.(ready)

async function servePeer(): Promise<{ ready: Ready; stop: () => Promise<void> }> {
  const peer = await startPeer()
  const ready = {
    origin: peer.origin,
    openKey: await peer.newTenant(OPEN),
    limitedKey: await peer.newTenant(LIMITED),
    floorOrigin: null,
  }
  process.on('message', ({ freezeMs }: { freezeMs: number }) => void peer.freezeDatabase(freezeMs))
  return { ready, stop: () => peer.stop() }
}

async function serveRoster(): Promise<{ ready: Ready; stop: () => Promise<void> }> {
  const floor = {
    name: 'floor',
    modules: true,
    script: await bundle('bench/workers/simulators.ts'),
    compatibilityDate: '2026-11-01',
    d1Databases: { DB: 'floor' },
    kvNamespaces: { CACHE: 'floor' },
    durableObjects: { OBJECT: { className: 'Empty', useSQLite: true } },
    unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
  }
  const cluster = await startCluster({ edges: 1, quiet: true, others: [floor] })
  const client = new Client(cluster)
  const keyOf = async ({ ratePerSecond, burst }: typeof OPEN) => {
    const limits = { requests_per_second: ratePerSecond, burst, annual_validation_limit: 1e12 }
    const storage = { storage_bytes: 1e10 }
    return (await client.newTenant({ tier: 'custom', limits: { ...limits, ...storage } })).key
  }
  const [openKey, limitedKey] = [await keyOf(OPEN), await keyOf(LIMITED)]
  // A tenant's first request makes its gate.
  for (const key of [openKey, limitedKey]) await client.send(0, 'GET', '/v1/customers?limit=1', bearer(key))
  const floorOrigin = (await cluster.urlOf('floor')).href
  await fetch(new URL('/prepare', floorOrigin))
  const ready = { origin: (cluster.edges[0] as URL).href, openKey, limitedKey, floorOrigin }
  return { ready, stop: () => cluster.dispose() }
}
