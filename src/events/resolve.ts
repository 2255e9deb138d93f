/**
 * Resolves a name to its addresses by DNS over HTTPS, because a Worker cannot resolve names otherwise. Caches a result
 * for some seconds: a busy endpoint is called many times a second, and the call itself resolves the name again.
 */
import { LRUCache } from 'lru-cache'
import type { Clock } from '../shared/clock.ts'
import type { Resolve } from './destination.ts'

const RESOLVER = 'https://cloudflare-dns.com/dns-query'
const RECORD_TYPES = { A: 1, AAAA: 28 }
/** RFC 1035: no error, and no such name. */
const NO_ERROR = 0
const NO_SUCH_NAME = 3

/** The name server of a receiver may be slow. */
const TIMEOUT_MS = 5_000
const REMEMBERED_FOR_MS = 30_000
const NAMES_REMEMBERED_MAX = 1_000
const remembered = new LRUCache<string, { addresses: string[]; untilMs: number }>({ max: NAMES_REMEMBERED_MAX })

export function resolveOverHttps(fetcher: typeof fetch, clock: Clock): Resolve {
  return async function resolve(name) {
    const cached = remembered.get(name)
    if (cached && cached.untilMs > clock()) return cached.addresses
    const types = Object.entries(RECORD_TYPES)
    const found = await Promise.all(types.map(([type, code]) => lookUp(fetcher, name, type, code)))
    const addresses = found.flat()
    remembered.set(name, { addresses, untilMs: clock() + REMEMBERED_FOR_MS })
    return addresses
  }
}

async function lookUp(fetcher: typeof fetch, name: string, type: string, code: number): Promise<string[]> {
  const answer = await fetcher(`${RESOLVER}?name=${encodeURIComponent(name)}&type=${type}`, {
    headers: { accept: 'application/dns-json' },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  if (!answer.ok) throw new Error(`the resolver answered ${answer.status}`)
  const { Status: status, Answer: records = [] } = (await answer.json()) as DnsResponse
  if (status !== NO_ERROR && status !== NO_SUCH_NAME) throw new Error(`the resolver answered with code ${status}`)
  return records.filter(({ type: recordType }) => recordType === code).map(({ data }) => data)
}

/** The part of the resolver's JSON that is read. Aliases are in the list together with their targets. */
interface DnsResponse {
  Status: number
  Answer?: { type: number; data: string }[]
}
