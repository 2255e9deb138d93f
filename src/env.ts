/**
 * What this Worker needs from the runtime, checked once for every door (HTTP, RPC, queue, cron, Durable Object) and typed
 * for everyone. Nothing else reads the raw bindings.
 */

import type { OutboxMessage } from './events/messages.ts'
import type { TenantGate } from './gate/tenant-gate.ts'
import type { AdminGuard } from './http/admin-guard.ts'
import type { OnboardingParams } from './onboarding/ports.ts'

export interface Bindings {
  db: D1Database
  cache: KVNamespace
  /** Says that there is something to do in the outbox. */
  outbox: Queue<OutboxMessage>
  /** The gate of that name, near the D1 primary. A new stub each time: one that has seen its object fail stays broken. */
  gateAt(name: string): DurableObjectStub<TenantGate>
  adminGuards: DurableObjectNamespace<AdminGuard>
  /** Runs the onboarding of new customers. */
  onboarding: Workflow<OnboardingParams>
  /** Several may be valid at once, so that they can be rotated. */
  adminKeys: string[]
  /** The first signs, all are accepted. */
  signingSecrets: string[]
  /** Comma-separated origins whose pages may read answers; null: none. */
  corsOrigins: string | null
  /** For development: webhooks may go to this machine. Never true in a deployment. */
  allowLocalWebhooks: boolean
  /** Where requests are counted; null: nowhere. */
  analytics: AnalyticsEngineDataset | null
}

/** By the names of wrangler.toml. Said again, because a Worker that binds Roster compiles this with a `Cloudflare.Env` of its own. */
interface RawEnv {
  DB: Bindings['db']
  CACHE: Bindings['cache']
  OUTBOX: Bindings['outbox']
  GATE: DurableObjectNamespace<TenantGate>
  ADMIN_GUARD: Bindings['adminGuards']
  ONBOARDING: Bindings['onboarding']
  ADMIN_KEYS: string | undefined
  SIGNING_SECRETS: string | undefined
  CORS_ORIGINS: string | undefined
  ALLOW_LOCAL_WEBHOOKS: string | undefined
  DEPLOYED: string | undefined
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
  for (const binding of ['DB', 'CACHE', 'OUTBOX', 'GATE', 'ADMIN_GUARD', 'ONBOARDING'] as const) {
    if (!env[binding]) problems.push(`binding ${binding} is missing: see wrangler.toml`)
  }
  const adminKeys = secretList(env.ADMIN_KEYS, 'ADMIN_KEYS', problems)
  const signingSecrets = secretList(env.SIGNING_SECRETS, 'SIGNING_SECRETS', problems)
  const allowLocalWebhooks = env.ALLOW_LOCAL_WEBHOOKS === 'true'
  // wrangler.toml says that it is deployed; only .dev.vars, which is never uploaded, says otherwise.
  if (allowLocalWebhooks && env.DEPLOYED !== 'false') {
    problems.push('ALLOW_LOCAL_WEBHOOKS is for development and this is a deployment: delete that variable')
  }
  if (problems.length > 0) throw new Error(`Roster can not start: ${problems.join('; ')}`)
  const locationHint = env.GATE_LOCATION_HINT as DurableObjectLocationHint | undefined
  const bindings: Bindings = {
    db: env.DB,
    cache: env.CACHE,
    outbox: env.OUTBOX,
    gateAt: (name) => env.GATE.getByName(name, locationHint ? { locationHint } : {}),
    adminGuards: env.ADMIN_GUARD,
    onboarding: env.ONBOARDING,
    adminKeys,
    signingSecrets,
    corsOrigins: env.CORS_ORIGINS || null,
    allowLocalWebhooks,
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
