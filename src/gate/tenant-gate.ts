/**
 * The Durable Object of one tenant and mode: a thin shell that gives gate-core.ts its storage and its clock, loads the
 * policy from D1, and is the only writer of its tenant's customers. It decides nothing and sleeps for nobody.
 */
import { DurableObject } from 'cloudflare:workers'
import type { Mode, Scope } from '../registry/customer.ts'
import { gateDeps } from '../wiring.ts'
import type { Usage } from './annual.ts'
import { RETRY_MIN_MS } from './constants.ts'
import { GateCore } from './gate-core.ts'
import type { GateDeps } from './gate-deps.ts'
import { GateImporter } from './gate-importer.ts'
import { gateSql } from './gate-sql.ts'
import type { GateKey } from './gate-storage.ts'
import { GateWriter } from './gate-writer.ts'
import type { ImportReply, ImportRequest } from './import-protocol.ts'
import {
  type LeaseReply,
  type LeaseRequest,
  type Policy,
  PROTOCOL_VERSION,
  understood,
  type Versioned,
  versioned,
} from './protocol.ts'
import type { WriteReply, WriteRequest } from './write-protocol.ts'

/** A tenant that is not in D1, though a key of it was signed here: it has no keys, and nobody may do anything. */
const NO_TENANT: { policy: Policy; keys: GateKey[] } = {
  policy: {
    version: 0,
    tier: 'none',
    status: 'suspended',
    ratePerSecond: 1,
    burst: 1,
    annualLimit: null,
    contractStart: '1970-01-01',
  },
  keys: [],
}

export class TenantGate extends DurableObject<Cloudflare.Env> {
  readonly #deps: GateDeps
  readonly #scope: Scope
  readonly #core: GateCore
  readonly #writer: GateWriter
  readonly #importer: GateImporter

  constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
    super(ctx, env)
    this.#deps = gateDeps(env)
    this.#scope = scopeOf(ctx.id.name)
    this.#core = new GateCore(gateSql(ctx.storage), this.#deps.random, this.#deps.clock())
    this.#writer = new GateWriter(this.#scope, this.#core, this.#deps, (atMs) => ctx.storage.setAlarm(atMs))
    this.#importer = new GateImporter(this.#scope, this.#core, this.#deps, this.#writer)
    // Should the alarm of an intent have been lost, this one wakes the gate.
    ctx.waitUntil(this.#writer.watchIntents())
  }

  /** Synchronous once the policy is there: a replaced object that answered after a pause could grant what it no longer may. */
  lease(request: LeaseRequest): LeaseReply | Promise<LeaseReply> {
    return this.#core.policy ? this.#core.lease(request, this.#deps.clock()) : this.#firstLease(request)
  }

  /** Commits one change, or says why not. */
  async write(request: Versioned<WriteRequest>): Promise<Versioned<WriteReply>> {
    understood(request)
    if (!this.#core.policy) await this.#load()
    return versioned(await this.#writer.write(request))
  }

  /** Whether gates start and answer at all, for `GET /readyz`. */
  ping(): void {
    this.ctx.storage.sql.exec('SELECT 1')
  }

  /** Imports one chunk of lines. */
  async importChunk(request: Versioned<ImportRequest>): Promise<Versioned<ImportReply>> {
    understood(request)
    if (!this.#core.policy) await this.#load()
    return versioned(await this.#importer.import(request))
  }

  /**
   * Takes over what D1 says of the tenant and its keys. `waitMs` from now, nothing older is in force anywhere: the caller
   * waits that long, not the gate, whose waiting would be billed and would keep it from answering others.
   */
  async reload(): Promise<{ waitMs: number }> {
    const { waitMs } = await this.#load()
    await Promise.all([this.#writer.idle(), this.#importer.idle()])
    return { waitMs }
  }

  /** The counts of the contract year and of each day. */
  async usage(): Promise<Usage> {
    if (!this.#core.policy) await this.#load()
    return this.#core.usage(this.#deps.clock())
  }

  override async alarm(): Promise<void> {
    await this.#writer.resolveOverdue()
  }

  async #firstLease(request: LeaseRequest): Promise<LeaseReply> {
    await this.#load()
    if (this.#core.policy) return this.#core.lease(request, this.#deps.clock())
    return { v: PROTOCOL_VERSION, kind: 'busy', backoffMs: RETRY_MIN_MS }
  }

  async #load(): Promise<{ waitMs: number }> {
    const known = await this.#deps.loadPolicy(this.#scope)
    // After a wait for D1 this object may have been replaced. It learns of it by touching its storage, and then fails.
    this.ctx.storage.sql.exec('SELECT 1')
    const { policy, keys } = known ?? NO_TENANT
    // D1 was set back, or a read was overtaken by a later change. Whoever asked for this must not be told it is in force.
    if (policy.version < (this.#core.policy?.version ?? 0)) throw new Error('D1 is behind the policy in force')
    return this.#core.setPolicy(policy, keys, this.#deps.clock())
  }
}

function scopeOf(name: string | undefined): Scope {
  const [tenantId, mode] = name?.split(':') ?? []
  if (!tenantId || (mode !== 'live' && mode !== 'test')) throw new Error('a gate is addressed by its name, tenant:mode')
  return { tenantId, mode: mode as Mode }
}
