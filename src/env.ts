/**
 * What this Worker needs from the runtime, checked once for every door (HTTP, RPC, queue, cron, Durable Object) and typed
 * for everyone. Nothing else reads the raw bindings.
 */
import type { TenantGate } from './gate/tenant-gate.ts'
import type { AdminGuard } from './http/admin-guard.ts'

export interface Bindings {
  db: D1Database
  cache: KVNamespace
  /** The gate of that name, near the D1 primary. A new stub each time: one that has seen its object fail stays broken. */
  gateAt(name: string): DurableObjectStub<TenantGate>
  adminGuards: DurableObjectNamespace<AdminGuard>
  /** Several may be valid at once, so that they can be rotated. */
  adminKeys: string[]
  /** The first signs, all are accepted. */
  signingSecrets: string[]
  /** Comma-separated origins whose pages may read answers; null: none. */
  corsOrigins: string | null
  /** Where requests are counted; null: nowhere. */
  analytics: AnalyticsEngineDataset | null
}

/** By the names of wrangler.toml. Said again, because a Worker that binds Roster compiles this with a `Cloudflare.Env` of its own. */
interface RawEnv {
  DB: Bindings['db']
  CACHE: Bindings['cache']
  GATE: DurableObjectNamespace<TenantGate>
  ADMIN_GUARD: Bindings['adminGuards']
  ADMIN_KEYS: string | undefined
  SIGNING_SECRETS: string | undefined
  CORS_ORIGINS: string | undefined
  ANALYTICS: AnalyticsEngineDataset | undefined
  GATE_LOCATION_HINT: string | undefined
}

const SECRET_LENGTH_MIN = 24

const checked = new WeakMap<object, Bindings>()

/** Throws one error that names everything that is missing. The result is kept as long as the runtime keeps `env`. */
export function readEnv(given: Cloudflare.Env): Bindings {
  const env = given as unknown as RawEnv
  const known = checked.get(env)
  if (known) return known
  const problems: string[] = []
  for (const binding of ['DB', 'CACHE', 'GATE', 'ADMIN_GUARD'] as const) {
    if (!env[binding]) problems.push(`binding ${binding} is missing: see wrangler.toml`)
  }
  const adminKeys = secretList(env.ADMIN_KEYS, 'ADMIN_KEYS', problems)
  const signingSecrets = secretList(env.SIGNING_SECRETS, 'SIGNING_SECRETS', problems)
  if (problems.length > 0) throw new Error(`Roster can not start: ${problems.join('; ')}`)
  const locationHint = env.GATE_LOCATION_HINT as DurableObjectLocationHint | undefined
  const bindings: Bindings = {
    db: env.DB,
    cache: env.CACHE,
    gateAt: (name) => env.GATE.getByName(name, locationHint ? { locationHint } : {}),
    adminGuards: env.ADMIN_GUARD,
    adminKeys,
    signingSecrets,
    corsOrigins: env.CORS_ORIGINS || null,
    analytics: env.ANALYTICS ?? null,
  }
  checked.set(env, bindings)
  return bindings
}

function secretList(value: string | undefined, name: string, problems: string[]): string[] {
  const secrets = (value ?? '').split(',').map((secret) => secret.trim())
  if (secrets.some((secret) => secret.length < SECRET_LENGTH_MIN)) {
    problems.push(`${name} must hold one or more comma-separated secrets of at least ${SECRET_LENGTH_MIN} characters`)
  }
  return secrets
}
