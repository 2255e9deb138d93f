/**
 * `npm run bench:distance`: what clients in seven regions wait for, with Roster and with the server of `bench/peer` in the primary
 * region. Distances are waits in wall-clock time, so the result hardly depends on the CPU. Writes the figures to docs/figures.md; with
 * `--print` it only prints them. `SECONDS` sets how long each load takes. Needs what `npm run bench:peer` needs.
 */
import { keepInMemory } from '../../test/node/support/memory.ts'
import { writeToPage } from '../page.ts'
import { importedIds, readAll } from '../peer/customers.ts'
import { type Request, send, type Traffic } from './clients.ts'
import { type Running, runPeer, runRoster } from './deployments.ts'
import type { Seen } from './quantiles.ts'
import { type Outage, REGIONS } from './regions.ts'
import { factsOf, HEADINGS, type Loads, OUTAGE_MS, REGION_HEADINGS, regionRow, rowOf } from './report.ts'

const SECONDS = Number(process.env.SECONDS ?? 20)
const READS_PER_SECOND = 20
/** For the loads of which a local D1 takes few. */
const SLOW_PER_SECOND = 4
const READ_BEFORE = 1_000
const HOT = 20
/** The share of the changes in a mixed load. */
const CHANGED = 0.05
/** The outage begins after so long, and clients send for this long after it. */
const [BEFORE_MS, AFTER_MS] = [2_000, 2_000]

keepInMemory()
const peer = await loadsOf(await runPeer())
const roster = await loadsOf(await runRoster())
const rows = Object.keys(peer).map((name) => rowOf(name, peer[name] ?? [], roster[name] ?? []))
const regionRows = REGIONS.map((region) => regionRow(region, peer, roster))
for (const cells of [HEADINGS, ...rows, REGION_HEADINGS, ...regionRows]) console.log(cells.join(' | '))
console.log(factsOf(SECONDS, [peer, roster]))
if (!process.argv.includes('--print')) {
  writeToPage('distance', 'npm run bench:distance', [HEADINGS, ...rows], factsOf(SECONDS, [peer, roster]))
  writeToPage('regions', 'npm run bench:distance', [REGION_HEADINGS, ...regionRows])
}

async function loadsOf(deployment: Running): Promise<Loads> {
  try {
    const [primary = ''] = deployment.origins
    const server = { origin: primary, openKey: deployment.key }
    // Twice what is sent on average, so that no region runs out of them.
    const unreadOfRegion = 2 * SLOW_PER_SECOND * SECONDS
    const unread = await importedIds(server, 'unread', unreadOfRegion * REGIONS.length)
    const ids = await importedIds(server, 'base', READ_BEFORE)
    await readEverywhere(deployment, ids)
    const among = (random: () => number, count: number) => ids[Math.floor(random() * count)] as string
    const reads = { perSecond: READS_PER_SECOND, seconds: SECONDS }
    const slow = { perSecond: SLOW_PER_SECOND, seconds: SECONDS }
    const hot: Traffic = { ...reads, next: ({ random }) => read(among(random, HOT)) }
    const any: Traffic = { ...reads, next: ({ random }) => read(among(random, READ_BEFORE)) }
    const change: Traffic = { ...slow, next: (from) => changeOf(among(from.random, READ_BEFORE), from) }
    const mixed: Traffic = { ...reads, next: (from) => (from.random() < CHANGED ? change : any).next(from) }
    const unreadBy = (shift: number): Traffic => ({
      ...slow,
      next: ({ region, nth }) => read(unread[((region + shift) % REGIONS.length) * unreadOfRegion + nth] as string),
    })
    const loads: Loads = {}
    for (const [name, traffic] of Object.entries({ hot, mixed, cold: unreadBy(0), elsewhere: unreadBy(1), change })) {
      loads[name] = await send(deployment, traffic)
    }
    for (const kind of ['region', 'database'] as const) {
      await readEverywhere(deployment, ids)
      Object.assign(loads, await duringOutage(deployment, kind, any))
    }
    return loads
  } finally {
    await deployment.stop()
  }
}

/** Reads the customers once in each region, so that it has cached them. */
async function readEverywhere({ key, origins }: Running, ids: readonly string[]): Promise<void> {
  await Promise.all(origins.map((origin) => readAll({ origin, openKey: key }, ids)))
}

function read(id: string): Request {
  return { method: 'GET', path: `/v1/customers/${id}` }
}

function changeOf(id: string, { region, nth }: { region: number; nth: number }): Request {
  return { ...read(id), method: 'PUT', body: JSON.stringify({ name: `Name ${region} ${nth} ${Date.now()}` }) }
}

/** Reads what was read before while a region or a database is away. Clients in a region that is away are left out. */
async function duringOutage(deployment: Running, of: Outage, traffic: Traffic): Promise<Loads> {
  const regions = of === 'region' ? REGIONS.slice(1) : REGIONS
  const seconds = (BEFORE_MS + OUTAGE_MS + AFTER_MS) / 1_000
  const all = send(deployment, { ...traffic, seconds }, regions)
  await new Promise((resolve) => setTimeout(resolve, BEFORE_MS))
  await deployment.beginOutage(of, OUTAGE_MS)
  const seen = await all
  const sentIn = (fromMs: number, toMs: number): Seen[] =>
    seen.filter(({ sentAtMs }) => sentAtMs >= BEFORE_MS + fromMs && sentAtMs < BEFORE_MS + toMs)
  return {
    [`${of} begins`]: sentIn(0, 1_000),
    [`${of} lasts`]: sentIn(1_000, OUTAGE_MS),
    [`${of} ended`]: sentIn(OUTAGE_MS, OUTAGE_MS + AFTER_MS),
  }
}
