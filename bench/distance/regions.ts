/** Where the clients of `npm run bench:distance` are, and how far from the primary region. */

export interface Region {
  name: string
  /** Milliseconds of a round trip to the primary region. */
  toPrimaryMs: number
}

/** Says what the numbers are and where they come from. */
export const SOURCE =
  "averages of 10 January to 8 February 2026 from IBM Cloud's published network latency (`_include-segments/network-latency.md` of github.com/ibm-cloud-docs/vpc)"

/**
 * The primary region comes first: D1, the gates and KV's central store are there, and so are the server with PostgreSQL and Redis. Its own round trip is that
 * between two zones.
 */
export const REGIONS: readonly Region[] = [
  { name: 'Washington DC', toPrimaryMs: 1 },
  { name: 'Dallas', toPrimaryMs: 31 },
  { name: 'Frankfurt', toPrimaryMs: 86 },
  { name: 'São Paulo', toPrimaryMs: 128 },
  { name: 'Tokyo', toPrimaryMs: 139 },
  { name: 'Sydney', toPrimaryMs: 214 },
  { name: 'Chennai', toPrimaryMs: 235 },
]

/** From a client to the location of Cloudflare in its region. An assumption, for a client in a data centre of that region. */
export const TO_EDGE_MS = 5
/** From a location to its own copy of a value in KV. An assumption. */
export const KV_HIT_MS = 3
/** Between a gate and D1, which are in the same region. */
export const WITHIN_REGION_MS = 1

/** Milliseconds of a round trip from a Worker to what it calls. */
export interface Distances {
  gate: number
  database: number
  kvHit: number
  kvMiss: number
}

/** Returns the distances of a Worker of the cluster: those of its region, or of the gates. */
export function distancesOf(name: string): Distances {
  const region = REGIONS[Number(/^edge-(\d+)$/.exec(name)?.[1]) - 1]
  if (!region) return { gate: 0, database: WITHIN_REGION_MS, kvHit: KV_HIT_MS, kvMiss: WITHIN_REGION_MS }
  const { toPrimaryMs } = region
  return { gate: toPrimaryMs, database: toPrimaryMs, kvHit: KV_HIT_MS, kvMiss: Math.max(KV_HIT_MS, toPrimaryMs) }
}

/** `region`: nothing in the primary region can be reached. `database`: only D1 or PostgreSQL is away. */
export type Outage = 'region' | 'database'
