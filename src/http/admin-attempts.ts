/**
 * Decides when an address has sent too many wrong keys or sign-in links of operators. Pure:
 * `entrypoints/admin-guard.ts` stores the results.
 */
import ipaddr from 'ipaddr.js'
import type { Network } from '../env.ts'
import { toBase64Url, utf8 } from '../shared/bytes.ts'

export const FAILURES_MAX = 10
/** An IPv6 site has 65,536 networks of 64 bits, and may send a few more wrong keys than one of them. */
export const SITE_FAILURES_MAX = 30
export const FAILURE_MEMORY_MS = 60_000

/**
 * Returns the networks that the failures of an address count for, the widest one first. One client controls a whole IPv6
 * /64, and one customer of a provider mostly a /48.
 */
export function networksOf(address: string | null): [Network, ...Network[]] {
  if (address === null || !ipaddr.isValid(address)) {
    return [{ network: address ?? 'unknown', failuresMax: FAILURES_MAX }]
  }
  const parsed = ipaddr.process(address)
  if (parsed.kind() !== 'ipv6') return [{ network: parsed.toString(), failuresMax: FAILURES_MAX }]
  const bytes = parsed.toByteArray()
  return [
    { network: `${bytes.slice(0, 6).join('.')}/48`, failuresMax: SITE_FAILURES_MAX },
    { network: `${bytes.slice(0, 8).join('.')}/64`, failuresMax: FAILURES_MAX },
  ]
}

/**
 * Returns the name of the guard object that counts for these networks, and the networks as it stores them. Both come from
 * a hash with a secret of the deployment. So nobody can choose addresses that share the object of another, and no stored
 * row names an address.
 *
 * There are 256 objects: an attacker could keep a single one busy, and could create any number if each address had its own.
 */
export async function guardOf(
  networks: readonly [Network, ...Network[]],
  secret: string,
): Promise<{ name: string; networks: Network[] }> {
  const bytes = utf8(`roster admin guard\n${secret}`)
  const key = await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  const hashes = await Promise.all(networks.map(({ network }) => crypto.subtle.sign('HMAC', key, utf8(network))))
  // The widest network decides, so that one object counts for all of an address.
  const [first = 0] = new Uint8Array(hashes[0] as ArrayBuffer)
  const hashed = networks.map(({ failuresMax }, at) => ({
    network: toBase64Url(hashes[at] as ArrayBuffer),
    failuresMax,
  }))
  return { name: `admin:${first}`, networks: hashed }
}

/**
 * Returns the times of the failures that count after this wrong key, and how many milliseconds the network has to wait.
 * The wait is 0 if it is not blocked.
 */
export function judgeFailure(
  failuresMs: readonly number[],
  nowMs: number,
  failuresMax = FAILURES_MAX,
): { failuresMs: number[]; blockedMs: number } {
  const recent = failuresMs.filter((failedAtMs) => failedAtMs > nowMs - FAILURE_MEMORY_MS)
  const oldestMs = recent[0]
  // A blocked attempt is not counted, so a network that waits for `blockedMs` is not blocked any more.
  if (oldestMs !== undefined && recent.length >= failuresMax) {
    return { failuresMs: recent, blockedMs: oldestMs + FAILURE_MEMORY_MS - nowMs }
  }
  return { failuresMs: [...recent, nowMs], blockedMs: 0 }
}
