/** Measures what the calls of the local simulators cost by themselves (`bench/workers/simulators.ts`). */
import { sendLoad } from './load.ts'
import type { Pinned } from './pinned.ts'

/** Each call, and its path. */
const CALLS = {
  'a KV read that finds a value': '/kv-hit',
  'a KV read that finds none': '/kv-miss',
  'a KV put': '/kv-put',
  'a D1 read of a row': '/d1-row',
  'a D1 read of 50 rows': '/d1-50-rows',
  'a D1 write': '/d1-write',
  'a call to a Durable Object': '/object',
}

/** CPU time of a call in microseconds, by its name, without that of the request that makes it. */
export type Floor = Record<string, number>

/** Measures each call for so many seconds, with 32 requests at once. */
export async function measureFloor(roster: Pinned, seconds: number): Promise<Floor> {
  const nothingUs = await cpuUsOf(roster, '/nothing', seconds)
  const floor: Floor = {}
  for (const [name, path] of Object.entries(CALLS)) floor[name] = (await cpuUsOf(roster, path, seconds)) - nothingUs
  return floor
}

async function cpuUsOf(roster: Pinned, path: string, seconds: number): Promise<number> {
  const templates = [{ weight: 100, method: 'GET', path, body: '' }]
  const plan = { key: '', templates, ids: [''], prefix: '', connections: 32, seconds }
  const beforeUs = roster.cpuUs()
  const { requests, failed, refused } = await sendLoad(roster.floorOrigin ?? '', plan)
  if (failed + refused > 0) throw new Error(`${path}: ${failed + refused} of ${requests} requests failed`)
  return (roster.cpuUs() - beforeUs) / requests
}
