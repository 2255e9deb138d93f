/** Turns what the clients of `npm run bench:distance` saw into rows of docs/figures.md. Pure. */
import { TIMEOUT_MS } from './clients.ts'
import { quantile, type Seen, type Summary, summaryOf } from './quantiles.ts'
import { KV_HIT_MS, type Region, SOURCE, TO_EDGE_MS } from './regions.ts'

export const OUTAGE_MS = 5_000

/** The requests of each load, by its name. */
export type Loads = Record<string, Seen[]>

const NAMES: Record<string, string> = {
  hot: 'reads of 20 customers, read before',
  cold: 'reads of customers that nobody has read',
  elsewhere: 'reads of customers that only clients in another region have read',
  mixed: '95 % reads, 5 % changes of 1,000 customers',
  change: 'changes',
  'region begins': 'reads in the first second in which the primary region is away',
  'region lasts': 'the same in the four seconds after that',
  'region ended': 'the same in two seconds after it is back',
  'database begins': 'reads in the first second in which only the database is away',
  'database lasts': 'the same in the four seconds after that',
  'database ended': 'the same in two seconds after it is back',
}

export const HEADINGS = [
  'load',
  'Fastify, PostgreSQL, Redis: p50, p95, p99',
  'answered',
  'Roster: p50, p95, p99',
  'answered',
]
export const REGION_HEADINGS = [
  'clients in',
  'to the primary region',
  'a hot read: the other, Roster',
  'a cold read: the other, Roster',
  'a change: the other, Roster',
]

/** Says what the figures of both deployments rest on, for loads of so many seconds. */
export function factsOf(seconds: number, both: readonly Loads[]): string {
  const lateMs = both.flatMap((loads) => Object.values(loads).flat()).map((one) => one.lateMs)
  return `Each load took ${seconds} s; the clients themselves were late by at most ${ms(quantile(lateMs, 0.99))} in 99 of 100 requests, because the machine does other things. Round trips to the primary region are ${SOURCE}. Assumed: ${TO_EDGE_MS} ms from a client to the location of Cloudflare in its region, ${KV_HIT_MS} ms from there to a value in KV that it has, no replica of D1 nearby. A client gives up after ${TIMEOUT_MS / 1_000} s; the times are those of requests that were answered.`
}

/** Returns the row of a load. */
export function rowOf(load: string, peer: readonly Seen[], roster: readonly Seen[]): string[] {
  const [ofPeer, ofRoster] = [summaryOf(peer), summaryOf(roster)]
  return [NAMES[load] ?? load, times(ofPeer), share(ofPeer), times(ofRoster), share(ofRoster)]
}

/** Returns the p50 of one region's clients. */
export function regionRow({ name, toPrimaryMs }: Region, peer: Loads, roster: Loads): string[] {
  const both = (load: string) =>
    [peer, roster]
      .map((loads) => summaryOf((loads[load] ?? []).filter(({ region }) => region === name)).p50)
      .map(ms)
      .join(', ')
  return [name, ms(toPrimaryMs), both('hot'), both('cold'), both('change')]
}

function times({ p50, p95, p99 }: Summary): string {
  return p50 === null ? 'none' : [p50, p95, p99].map(ms).join(', ')
}

function share({ answered }: Summary): string {
  // Rounded down: 100 % means all.
  return `${Math.floor(1_000 * answered) / 10} %`
}

function ms(value: number | null): string {
  return value === null ? 'none' : `${Math.round(value)} ms`
}
