/**
 * Asks for the addresses of a name by DNS over HTTPS, because a Worker can not ask otherwise. Remembers an answer for some
 * seconds: a busy endpoint is called many times a second, and the call itself looks its name up again anyway.
 */
import { LRUCache } from 'lru-cache'
import type { Clock } from '../shared/clock.ts'
import type { Resolve } from './destination.ts'

const RESOLVER = 'https://cloudflare-dns.com/dns-query'
const RECORD_TYPES = { A: 1, AAAA: 28 }
/** RFC 1035: no error, and no such name. */
const NO_ERROR = 0
const NO_SUCH_NAME = 3

/** A name may be served by somebody who is in no hurry. */
const TIMEOUT_MS = 5_000
const REMEMBERED_FOR_MS = 30_000
const NAMES_REMEMBERED_MAX = 1_000
const remembered = new LRUCache<string, { addresses: string[]; untilMs: number }>({ max: NAMES_REMEMBERED_MAX })

export function resolveOverHttps(fetcher: typeof fetch, clock: Clock): Resolve {
  return async function resolve(name) {
    const known = remembered.get(name)
    if (known && known.untilMs > clock()) return known.addresses
    const types = Object.entries(RECORD_TYPES)
    const answers = await Promise.all(types.map(([type, code]) => ask(fetcher, name, type, code)))
    const addresses = answers.flat()
    remembered.set(name, { addresses, untilMs: clock() + REMEMBERED_FOR_MS })
    return addresses
  }
}

async function ask(fetcher: typeof fetch, name: string, type: string, code: number): Promise<string[]> {
  const answer = await fetcher(`${RESOLVER}?name=${encodeURIComponent(name)}&type=${type}`, {
    headers: { accept: 'application/dns-json' },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  if (!answer.ok) throw new Error(`the resolver answered ${answer.status}`)
  const { Status: status, Answer: records = [] } = (await answer.json()) as DnsAnswer
  if (status !== NO_ERROR && status !== NO_SUCH_NAME) throw new Error(`the resolver answered with code ${status}`)
  return records.filter(({ type: known }) => known === code).map(({ data }) => data)
}

/** What of the resolver's JSON is read. Aliases stand in the list with what they lead to. */
interface DnsAnswer {
  Status: number
  Answer?: { type: number; data: string }[]
}
