/** Starts the server with its stores, and makes tenants. */
import { hash, randomBytes, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { startStores } from '../stores.ts'
import { peerServer } from './app.ts'
import { Cache } from './cache.ts'
import { Customers } from './customers.ts'

const SCOPES = ['customers:read', 'customers:write']

export interface Peer {
  origin: string
  /** Returns the key of a new tenant. */
  newTenant(limits: { ratePerSecond: number; burst: number }): Promise<string>
  /** Stops PostgreSQL for so long. Its clients get no answer meanwhile. */
  freezeDatabase(ms: number): Promise<void>
  stop(): Promise<void>
}

/** Starts PostgreSQL, Redis and the server. */
export async function startPeer(): Promise<Peer> {
  const stores = await startStores()
  const customers = new Customers(stores.postgresFolder)
  const cache = new Cache(stores.redisSocket)
  await customers.sql.unsafe(readFileSync(new URL('./schema.sql', import.meta.url), 'utf8'))
  const app = peerServer(customers, cache)
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  return {
    origin,
    async newTenant({ ratePerSecond, burst }) {
      const { sql } = customers
      const scope = { tenantId: randomUUID(), mode: 'live' }
      const secret = randomBytes(24).toString('base64url')
      const key = {
        id: `key_${randomUUID()}`,
        secretHash: hash('sha256', secret, 'base64url'),
        scopes: SCOPES.join(' '),
      }
      const tenant = { tier: 'custom', ratePerSecond, burst }
      await sql`INSERT INTO tenants VALUES (${scope.tenantId}, 'active', ${tenant.tier}, ${ratePerSecond}, ${burst})`
      await sql`INSERT INTO api_keys VALUES (${key.id}, ${scope.tenantId}, ${scope.mode}, ${key.secretHash}, ${SCOPES})`
      await cache.putTenant(scope, tenant, key)
      return `sk_live_${scope.tenantId}_${secret}`
    },
    freezeDatabase: (ms) => stores.freezePostgres(ms),
    async stop() {
      await app.close()
      await Promise.all([customers.close(), cache.close()])
      await stores.stop()
    },
  }
}
