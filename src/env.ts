/**
 * Checks and types the bindings and variables that this Worker gets from the runtime, once for every entry point (HTTP,
 * RPC, queue, cron, Durable Object). No other module reads the raw bindings.
 */

import type { MoveMessage, OutboxMessage, SweepMessage } from './events/messages.ts'
import type { GateRpc } from './gate/protocol/gate-rpc.ts'
import type { OnboardingParams } from './onboarding/ports.ts'
import type { AccessApplication } from './operators/access.ts'

/** A part of the internet whose wrong keys count together, and how many of them it may send in a minute. */
export interface Network {
  network: string
  failuresMax: number
}

/** The Durable Object that counts wrong keys and sign-in links of operators. Its class is in `entrypoints/admin-guard.ts`. */
export interface AttemptCounter extends Rpc.DurableObjectBranded {
  /** Counts a wrong key. Returns how many milliseconds its address has to wait, or 0 if it is not blocked. */
  countFailure(networks: readonly Network[]): Promise<number>
}

/** An admin key. The audit names who used it: `admin` for a key without a name, else `admin:` and its name. */
export interface AdminKey {
  actor: string
  /** The texts that are accepted: the secret, and for a key with a name also `name:secret`, as it was set. */
  accepted: readonly string[]
}

export interface Bindings {
  /** The database with the directory: tenants, keys, operators. It has customers, too. */
  directory: D1Database
  /** All databases with customers, by their numbers. The directory is number 0. */
  databases: readonly D1Database[]
  /** Null in a jurisdiction: KV has copies of its values all over the world. */
  cache: KVNamespace | null
  /** Events that are too old for D1. */
  archive: R2Bucket
  /** Days for which events stay in D1. */
  eventDaysInD1: number
  /** Carries messages that there is work: in the outbox, and for the sweeps. */
  outbox: Queue<OutboxMessage | SweepMessage | MoveMessage>
  /**
   * Returns a stub of the gate with that name, which is created in the jurisdiction, else near the D1 primary. The stub is new each
   * time, because a stub stays broken after its object has failed.
   */
  gateAt(name: string): DurableObjectStub<GateRpc>
  adminGuards: DurableObjectNamespace<AttemptCounter>
  /** Runs the onboarding of new customers. */
  onboarding: Workflow<OnboardingParams>
  /** All valid admin keys. There may be several at once, so that the operator can rotate them. */
  adminKeys: AdminKey[]
  /** The application of Cloudflare Access that signs operators in. Null if none does. */
  access: AccessApplication | null
  /** All signing secrets. The first one signs, and signatures of all are accepted. */
  signingSecrets: string[]
  /** Comma-separated origins whose pages may read responses. Null for none. */
  corsOrigins: string | null
  /**
   * The names of the host that requests may be for. Null for any. On a developer's machine it keeps out web pages whose name
   * resolves to that machine.
   */
  allowedHosts: ReadonlySet<string> | null
  /** Allows webhooks to the local machine, for development. Never true in a deployment. */
  allowLocalWebhooks: boolean
  /** The dataset that requests are counted in. Null if they are not counted. */
  analytics: AnalyticsEngineDataset | null
}

/**
 * The bindings by their names in wrangler.toml. It repeats `Cloudflare.Env`, because a Worker that binds Roster
 * compiles this file with its own `Cloudflare.Env`.
 */
interface RawEnv {
  DB: D1Database
  [further: `DB_${number}`]: D1Database | undefined
  CACHE: KVNamespace | undefined
  ARCHIVE: Bindings['archive']
  OUTBOX: Bindings['outbox']
  GATE: DurableObjectNamespace<GateRpc>
  ADMIN_GUARD: Bindings['adminGuards']
  ONBOARDING: Bindings['onboarding']
  ADMIN_KEYS: string | undefined
  SIGNING_SECRETS: string | undefined
  CORS_ORIGINS: string | undefined
  ALLOW_LOCAL_WEBHOOKS: string | undefined
  ALLOWED_HOSTS: string | undefined
  ACCESS_TEAM_DOMAIN: string | undefined
  ACCESS_AUD: string | undefined
  DEPLOYED: string | undefined
  ANALYTICS: AnalyticsEngineDataset | undefined
  GATE_LOCATION_HINT: string | undefined
  JURISDICTION: string | undefined
  EVENT_DAYS_IN_D1: string | undefined
}

const SECRET_LENGTH_MIN = 24
/** Matches `name:secret`. A secret has no colon, so that a name never becomes a part of it. */
const NAMED_KEY = /^([A-Za-z0-9][\w.-]{0,31}):([^:]+)$/
/** The secrets in .dev.vars.example, which is public. */
const DEVELOPMENT_SECRETS = ['local-admin-key-for-development', 'local-signing-secret-for-development']

const checked = new WeakMap<object, Bindings>()

/**
 * Returns the checked bindings. Throws one error that names every problem. The result is cached as long as the runtime
 * keeps `env`.
 */
export function readEnv(given: Cloudflare.Env): Bindings {
  const env = given as unknown as RawEnv
  const known = checked.get(env)
  if (known) return known
  const problems: string[] = []
  for (const binding of ['DB', 'ARCHIVE', 'OUTBOX', 'GATE', 'ADMIN_GUARD', 'ONBOARDING'] as const) {
    if (!env[binding]) problems.push(`binding ${binding} is missing: see wrangler.toml`)
  }
  const adminKeys = secretList(env.ADMIN_KEYS, 'ADMIN_KEYS', problems).map((text) => adminKeyOf(text, problems))
  const signingSecrets = secretList(env.SIGNING_SECRETS, 'SIGNING_SECRETS', problems)
  const access = accessOf(env.ACCESS_TEAM_DOMAIN?.trim() ?? '', env.ACCESS_AUD?.trim() ?? '', problems)
  const allowLocalWebhooks = env.ALLOW_LOCAL_WEBHOOKS === 'true'
  // wrangler.toml sets DEPLOYED to "true". Only .dev.vars, which is never uploaded, sets it to "false".
  if (env.DEPLOYED !== 'false') {
    if (allowLocalWebhooks) {
      problems.push('ALLOW_LOCAL_WEBHOOKS is for development and this is a deployment: delete that variable')
    }
    const secrets = [...adminKeys.flatMap(({ accepted }) => accepted), ...signingSecrets]
    if (secrets.some((secret) => DEVELOPMENT_SECRETS.includes(secret))) {
      problems.push('a secret has its value from .dev.vars.example and this is a deployment: make one of random bytes')
    }
  }
  const databases = databasesOf(env, problems)
  const jurisdiction = jurisdictionOf(env, problems)
  const eventDaysInD1 = eventDaysOf(env.EVENT_DAYS_IN_D1, problems)
  if (problems.length > 0) throw new Error(`Roster cannot start: ${problems.join('; ')}`)
  const gates = inJurisdiction(jurisdiction, env.GATE)
  // A hint might name a place outside of the jurisdiction. Cloudflare does not document which of them then counts.
  const hint = jurisdiction ? undefined : (env.GATE_LOCATION_HINT as DurableObjectLocationHint | undefined)
  const bindings: Bindings = {
    directory: env.DB,
    databases,
    cache: env.CACHE ?? null,
    archive: env.ARCHIVE,
    eventDaysInD1,
    outbox: env.OUTBOX,
    gateAt: (name) => gates.getByName(name, hint ? { locationHint: hint } : {}),
    adminGuards: inJurisdiction(jurisdiction, env.ADMIN_GUARD),
    onboarding: env.ONBOARDING,
    adminKeys,
    access,
    signingSecrets,
    corsOrigins: env.CORS_ORIGINS || null,
    allowedHosts: env.ALLOWED_HOSTS ? new Set(env.ALLOWED_HOSTS.split(',').map((host) => host.trim())) : null,
    allowLocalWebhooks,
    analytics: env.ANALYTICS ?? null,
  }
  checked.set(env, bindings)
  return bindings
}

/** The name of the binding of a further database, and its number. */
const FURTHER_DATABASE = /^DB_([1-9][0-9]*)$/

/** Returns the databases by their numbers. Without a gap: the number of a tenant's database is stored. */
function databasesOf(env: RawEnv, problems: string[]): D1Database[] {
  const numbers = Object.keys(env).flatMap((name) => FURTHER_DATABASE.exec(name)?.[1] ?? [])
  const databases = [env.DB]
  for (let number = 1; number <= numbers.length; number++) {
    const database = env[`DB_${number}`]
    if (database) databases.push(database)
    else problems.push(`binding DB_${number} is missing, and ${numbers.length} databases are bound beside DB`)
  }
  return databases
}

const JURISDICTIONS: readonly string[] = ['eu', 'us', 'fedramp'] satisfies DurableObjectJurisdiction[]

/**
 * Returns the jurisdiction that Durable Objects are kept in. Null for none, and where there is no deployment: workerd on a developer's
 * machine knows no jurisdictions.
 */
function jurisdictionOf(env: RawEnv, problems: string[]): DurableObjectJurisdiction | null {
  const { JURISDICTION: name = '', CACHE, DEPLOYED } = env
  if (name === '') {
    if (!CACHE) problems.push('binding CACHE is missing: see wrangler.toml')
    return null
  }
  if (!JURISDICTIONS.includes(name)) {
    problems.push(`JURISDICTION is ${name}: use one of ${JURISDICTIONS.join(', ')}, or leave it empty`)
  }
  if (CACHE) {
    problems.push(
      `JURISDICTION is ${name} and CACHE is bound: KV has copies of its values all over the world, so remove that binding`,
    )
  }
  return DEPLOYED === 'false' ? null : (name as DurableObjectJurisdiction)
}

function inJurisdiction<Object extends Rpc.DurableObjectBranded>(
  jurisdiction: DurableObjectJurisdiction | null,
  namespace: DurableObjectNamespace<Object>,
): DurableObjectNamespace<Object> {
  return jurisdiction ? namespace.jurisdiction(jurisdiction) : namespace
}

/**
 * Not less: for a day, the event of a change is the stored response to repeats of its request. Not more: then an event would
 * be older than the shortest retention.
 */
const EVENT_DAYS = { min: 2, max: 30, initial: 14 }

function eventDaysOf(value: string | undefined, problems: string[]): number {
  const days = value ? Number(value) : EVENT_DAYS.initial
  if (!Number.isInteger(days) || days < EVENT_DAYS.min || days > EVENT_DAYS.max) {
    problems.push(`EVENT_DAYS_IN_D1 must be a whole number from ${EVENT_DAYS.min} to ${EVENT_DAYS.max}`)
  }
  return days
}

function secretList(value: string | undefined, name: string, problems: string[]): string[] {
  const secrets = (value ?? '').split(',').map((secret) => secret.trim())
  if (secrets.some((secret) => secret.length < SECRET_LENGTH_MIN)) {
    problems.push(`${name} must hold one or more comma-separated secrets of at least ${SECRET_LENGTH_MIN} characters`)
  }
  return secrets
}

function adminKeyOf(text: string, problems: string[]): AdminKey {
  if (!text.includes(':')) return { actor: 'admin', accepted: [text] }
  const [, name, secret = ''] = NAMED_KEY.exec(text) ?? []
  if (secret.length < SECRET_LENGTH_MIN) {
    problems.push(
      `a key of ADMIN_KEYS with a colon must be name:secret, the name of letters, digits, ".", "_" and "-", the secret of at least ${SECRET_LENGTH_MIN} characters without a colon`,
    )
  }
  return { actor: `admin:${name}`, accepted: [secret, text] }
}

const TEAM_DOMAIN = /^(?:https:\/\/)?([a-z0-9][a-z0-9-]*)(?:\.cloudflareaccess\.com)?\/?$/i

function accessOf(teamDomain: string, audience: string, problems: string[]): AccessApplication | null {
  if (teamDomain === '' && audience === '') return null
  const team = TEAM_DOMAIN.exec(teamDomain)?.[1]
  if (team === undefined || audience === '') {
    problems.push(
      'ACCESS_TEAM_DOMAIN must be a team such as acme.cloudflareaccess.com, and ACCESS_AUD the tag of its application: set both, or leave both empty',
    )
    return null
  }
  return { issuer: `https://${team.toLowerCase()}.cloudflareaccess.com`, audience }
}
