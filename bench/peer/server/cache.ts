/**
 * Redis: the key, the limit and the cached customer of a request in one script, which is one round trip; and what a write leaves in
 * the cache.
 *
 * A customer is a hash: `v` its version, `j` its JSON, `e` its external id, `w` the writes under way. While there is one, nobody is answered from the
 * cache and no reader fills it. A writer that dies leaves its mark for ten seconds, longer than a statement may run.
 */
import { Redis } from 'ioredis'

const WRITE_MS = 10_000
const CACHED_MS = 3_600_000

/** KEYS: key, tenant, bucket, customer or its external id. ARGV: what is wanted, the prefix of customers, the external id. */
const ADMIT = `
local key = redis.call('HMGET', KEYS[1], 'id', 'scopes')
if not key[1] then return {'unknown'} end
local tenant = redis.call('HMGET', KEYS[2], 'status', 'tier', 'rate', 'burst')
if tenant[1] ~= 'active' then return {'suspended'} end
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local rate, burst = tonumber(tenant[3]), tonumber(tenant[4])
local bucket = redis.call('HMGET', KEYS[3], 'tokens', 'at')
local tokens = burst
if bucket[1] then tokens = math.min(burst, bucket[1] + (now - bucket[2]) / 1000 * rate) end
local verdict = 'limited'
if tokens >= 1 then
  tokens = tokens - 1
  verdict = 'admitted'
  redis.call('HSET', KEYS[3], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.3f', now))
end
local answer = {verdict, key[1], key[2], tenant[2], rate, burst, string.format('%.6f', tokens)}
if verdict == 'limited' or ARGV[1] == 'none' then return answer end
local customer = KEYS[4]
if ARGV[1] == 'external' then
  local id = redis.call('GET', KEYS[4])
  if not id then return answer end
  customer = ARGV[2] .. id
end
if ARGV[1] == 'write' then
  redis.call('HINCRBY', customer, 'w', 1)
  redis.call('PEXPIRE', customer, ${WRITE_MS})
  return answer
end
local cached = redis.call('HMGET', customer, 'v', 'j', 'w', 'e')
if cached[1] and not cached[3] and (ARGV[1] == 'id' or cached[4] == ARGV[3]) then
  answer[8] = cached[1]
  answer[9] = cached[2]
end
return answer`

/** KEYS: customer, external id. ARGV: `write` or `fill`, version, JSON, id, external id. An empty version leaves the value as it was. */
const PUT = `
if ARGV[1] == 'write' then
  if redis.call('HINCRBY', KEYS[1], 'w', -1) <= 0 then redis.call('HDEL', KEYS[1], 'w') end
elseif redis.call('HEXISTS', KEYS[1], 'w') == 1 then
  return 0
end
if ARGV[2] == '' then return 0 end
local version = redis.call('HGET', KEYS[1], 'v')
if version and tonumber(version) >= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'v', ARGV[2], 'j', ARGV[3], 'e', ARGV[5])
if redis.call('HEXISTS', KEYS[1], 'w') == 0 then redis.call('PEXPIRE', KEYS[1], ${CACHED_MS}) end
redis.call('SET', KEYS[2], ARGV[4], 'PX', ${CACHED_MS})
return 1`

/** KEYS: customers. Marks them all before a statement that changes many. */
const MARK = `
for _, customer in ipairs(KEYS) do
  redis.call('HINCRBY', customer, 'w', 1)
  redis.call('PEXPIRE', customer, ${WRITE_MS})
end`

/** KEYS: customers. Takes the marks back; what was cached is gone. */
const DROP = `
for _, customer in ipairs(KEYS) do
  if redis.call('HINCRBY', customer, 'w', -1) <= 0 then redis.call('DEL', customer) else redis.call('HDEL', customer, 'v', 'j', 'e') end
end`

/** The wish of a request to the cache: nothing, a customer by its id or its external id, or to announce its write. */
export type Want = 'none' | 'id' | 'external' | 'write'

export interface Scope {
  tenantId: string
  mode: string
}

export interface Admission {
  verdict: 'unknown' | 'suspended' | 'limited' | 'admitted'
  keyId: string
  scopes: string
  tier: string
  ratePerSecond: number
  burst: number
  tokens: number
  cached: { version: number; json: string } | null
}

interface Scripts {
  admit(...args: string[]): Promise<(string | number | null)[]>
  putCustomer(...args: string[]): Promise<number>
  markCustomers(count: number, ...keys: string[]): Promise<unknown>
  dropCustomers(count: number, ...keys: string[]): Promise<unknown>
}

export class Cache {
  readonly #redis: Redis & Scripts

  constructor(socket: string) {
    // Commands of one turn of the event loop travel together.
    const redis = new Redis({ path: socket, enableAutoPipelining: true })
    redis.defineCommand('admit', { numberOfKeys: 4, lua: ADMIT })
    redis.defineCommand('putCustomer', { numberOfKeys: 2, lua: PUT })
    redis.defineCommand('markCustomers', { lua: MARK })
    redis.defineCommand('dropCustomers', { lua: DROP })
    this.#redis = redis as Redis & Scripts
  }

  async admit(scope: Scope, secretHash: string, want: Want, name: string): Promise<Admission> {
    const prefix = `{${scope.tenantId}:${scope.mode}}`
    const target = want === 'external' ? `${prefix}x:${name}` : `${prefix}c:${name}`
    const [verdict, keyId, scopes, tier, rate, burst, tokens, version, json] = await this.#redis.admit(
      `${prefix}k:${secretHash}`,
      `${prefix}t`,
      `${prefix}b`,
      target,
      want,
      `${prefix}c:`,
      name,
    )
    return {
      verdict: verdict as Admission['verdict'],
      keyId: String(keyId),
      scopes: String(scopes),
      tier: String(tier),
      ratePerSecond: Number(rate),
      burst: Number(burst),
      tokens: Number(tokens),
      cached: typeof json === 'string' ? { version: Number(version), json } : null,
    }
  }

  /** Caches what a reader found, unless it is older than what is there. */
  fill(scope: Scope, customer: { id: string; externalId: string; version: number; json: string }): Promise<number> {
    return this.#put('fill', scope, customer.id, customer)
  }

  /** Ends a write that was announced. Null: it changed nothing. */
  endWrite(scope: Scope, id: string, customer: { externalId: string; version: number; json: string } | null) {
    return this.#put('write', scope, id, customer)
  }

  mark(scope: Scope, ids: readonly string[]) {
    return this.#redis.markCustomers(ids.length, ...ids.map((id) => `{${scope.tenantId}:${scope.mode}}c:${id}`))
  }

  drop(scope: Scope, ids: readonly string[]) {
    return this.#redis.dropCustomers(ids.length, ...ids.map((id) => `{${scope.tenantId}:${scope.mode}}c:${id}`))
  }

  /** Stores a tenant and its key where requests look for them. */
  async putTenant(
    scope: Scope,
    tenant: { tier: string; ratePerSecond: number; burst: number },
    key: { id: string; secretHash: string; scopes: string },
  ): Promise<void> {
    const prefix = `{${scope.tenantId}:${scope.mode}}`
    const { tier, ratePerSecond: rate, burst } = tenant
    await this.#redis.hset(`${prefix}t`, { status: 'active', tier, rate, burst })
    await this.#redis.hset(`${prefix}k:${key.secretHash}`, { id: key.id, scopes: key.scopes })
  }

  async close(): Promise<void> {
    await this.#redis.quit()
  }

  #put(
    kind: 'fill' | 'write',
    scope: Scope,
    id: string,
    customer: { externalId: string; version: number; json: string } | null,
  ): Promise<number> {
    const prefix = `{${scope.tenantId}:${scope.mode}}`
    return this.#redis.putCustomer(
      `${prefix}c:${id}`,
      `${prefix}x:${customer?.externalId ?? ''}`,
      kind,
      String(customer?.version ?? ''),
      customer?.json ?? '',
      id,
      customer?.externalId ?? '',
    )
  }
}
