/** Fetches the public keys of a team of Cloudflare Access. */
import type { AccessKey } from '../operators/access.ts'
import { describeError, log } from '../shared/log.ts'

const TIMEOUT_MS = 5_000
const BYTES_MAX = 64 * 1024
/** A team has two keys, and three while it changes them. */
const KEYS_MAX = 20

/** Rejects if the team does not answer with its keys, and logs that. */
export async function fetchAccessKeys(issuer: string): Promise<readonly AccessKey[]> {
  try {
    return await keysOf(issuer)
  } catch (error) {
    log('error', { event: 'access_keys_failed', error: describeError(error) })
    throw error
  }
}

async function keysOf(issuer: string): Promise<readonly AccessKey[]> {
  const url = `${issuer}/cdn-cgi/access/certs`
  const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) })
  if (response.status !== 200) throw new Error(`Cloudflare Access answered ${response.status} for its keys`)
  const length = Number(response.headers.get('content-length') ?? 0)
  if (length > BYTES_MAX) throw new Error('Cloudflare Access answered too much for its keys')
  const { keys } = (await response.json()) as { keys?: unknown }
  if (!Array.isArray(keys) || keys.length > KEYS_MAX) throw new Error('Cloudflare Access answered no list of keys')
  return keys.filter((key) => typeof key === 'object' && key !== null) as AccessKey[]
}
