/** Clients in each region, who send at random times however long the answers take, as independent callers do. */
import { setTimeout as pause } from 'node:timers/promises'
import { arrivals, randomOf, type Seen } from './quantiles.ts'
import { REGIONS, type Region } from './regions.ts'

/** A client gives up after this long, as the HTTP clients of services do. */
export const TIMEOUT_MS = 2_000

/** A deployment as clients see it. */
export interface Deployment {
  key: string
  /** Where the clients of a region send to. */
  originFor(region: number): string
  /** The time from a client there to the server and back. */
  roundTripMs(region: Region): number
  /** True while no packet of the region's clients arrives. */
  isCutOff(): boolean
}

export interface Request {
  method: 'GET' | 'PUT'
  path: string
  body?: string
}

export interface Traffic {
  /** Requests a second from each region. */
  perSecond: number
  seconds: number
  /** Makes the request that is number `nth` of its region. */
  next(from: { random: () => number; region: number; nth: number }): Request
}

/** Sends the traffic from all regions at once, and returns each request as its client saw it. */
export async function send(
  deployment: Deployment,
  traffic: Traffic,
  regions: readonly Region[] = REGIONS,
): Promise<Seen[]> {
  const startedAtMs = performance.now()
  const ofRegion = async (region: Region) => {
    const at = REGIONS.indexOf(region)
    const random = randomOf(1_000 + at)
    const times = arrivals(traffic.perSecond, traffic.seconds, 1 + at)
    return await Promise.all(
      times.map(async (dueAtMs, nth): Promise<Seen> => {
        await pause(dueAtMs)
        const sentAtMs = performance.now()
        const status = await statusOf(deployment, region, traffic.next({ random, region: at, nth }))
        return {
          region: region.name,
          sentAtMs: sentAtMs - startedAtMs,
          lateMs: sentAtMs - startedAtMs - dueAtMs,
          tookMs: performance.now() - sentAtMs,
          status,
        }
      }),
    )
  }
  return (await Promise.all(regions.map(ofRegion))).flat()
}

async function statusOf(
  deployment: Deployment,
  region: Region,
  { method, path, body }: Request,
): Promise<number | null> {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const legMs = deployment.roundTripMs(region) / 2
  try {
    await pause(legMs, null, { signal })
    if (deployment.isCutOff()) await pause(TIMEOUT_MS, null, { signal })
    const headers = { authorization: `Bearer ${deployment.key}`, ...(body && { 'content-type': 'application/json' }) }
    const url = new URL(path, deployment.originFor(REGIONS.indexOf(region)))
    const response = await fetch(url, { method, headers, ...(body && { body }), signal })
    await response.arrayBuffer()
    await pause(legMs, null, { signal })
    if (deployment.isCutOff()) await pause(TIMEOUT_MS, null, { signal })
    return response.status
  } catch {
    return null
  }
}
