/**
 * The Durable Object of one tenant and mode, and the only writer of their customers. It is a thin shell: it gives
 * `gate-core.ts` its storage and its clock, and loads the policy from D1. It makes no decisions and never sleeps for a
 * caller.
 */
import { DurableObject } from 'cloudflare:workers'
import { gateDeps } from '../composition/services.ts'
import { GateCore } from '../gate/core/gate-core.ts'
import { NO_TENANT } from '../gate/core/no-tenant.ts'
import type { GateDeps } from '../gate/object/deps.ts'
import { gateSql, proveCurrent } from '../gate/object/gate-sql.ts'
import { GateImporter } from '../gate/object/importer.ts'
import { IntentWatch } from '../gate/object/intent-watch.ts'
import { GateUndoer } from '../gate/object/undoer.ts'
import { GateWriter } from '../gate/object/writer.ts'
import { RETRY_MIN_MS } from '../gate/protocol/constants.ts'
import type { GateRpc } from '../gate/protocol/gate-rpc.ts'
import type { ImportReply, ImportRequest } from '../gate/protocol/imports.ts'
import {
  type LeaseReply,
  type LeaseRequest,
  type OtherVersion,
  PROTOCOL_VERSION,
  type Versioned,
  versioned,
} from '../gate/protocol/leases.ts'
import type { UndoReply, UndoRequest } from '../gate/protocol/undo.ts'
import type { Usage } from '../gate/protocol/usage.ts'
import { otherVersion, readRequest, writeReply } from '../gate/protocol/versions.ts'
import type { WriteReply, WriteRequest } from '../gate/protocol/writes.ts'
import type { Mode, Scope } from '../registry/customer.ts'

/**
 * Milliseconds after which a gate in use loads its policy from D1 again. Changes arrive by `reload`. This load finds
 * what no `reload` reports: a tenant that is gone because D1 was restored to a time before the tenant was created.
 */
const CONFIRM_POLICY_EVERY_MS = 300_000

/** While the tenant is frozen for a move, the gate looks this often whether it is in its other database. */
const MOVE_LOOK_EVERY_MS = 200

export class TenantGate extends DurableObject<Cloudflare.Env> implements GateRpc {
  readonly #deps: GateDeps
  readonly #scope: Scope
  #core: GateCore
  #intents: IntentWatch
  #writer: GateWriter
  #importer: GateImporter
  #undoer: GateUndoer
  /** The time at which this instance last began to load its policy again. */
  #confirmedAtMs = 0
  /** The look at the policy under way, while the tenant is moved. */
  #moveLook: Promise<void> | null = null

  constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
    super(ctx, env)
    this.#deps = gateDeps(
      env,
      () => this.#core.policy?.database ?? 0,
      () => this.#awaitMove(),
    )
    this.#scope = scopeOf(ctx.id.name)
    const { core, intents, writer, importer, undoer } = this.#fromStorage()
    this.#core = core
    this.#intents = intents
    this.#writer = writer
    this.#importer = importer
    this.#undoer = undoer
    // Sets an alarm for intents that are left, in case theirs was lost.
    ctx.waitUntil(this.#intents.watch())
  }

  /**
   * Grants or refuses a lease. Synchronous once the policy is loaded: an object that was replaced while it waited could
   * grant what it may not grant any more.
   */
  lease(request: LeaseRequest): LeaseReply | Promise<LeaseReply> {
    if (!this.#core.policy) return this.#firstLease(request)
    this.#confirmPolicy()
    return this.#core.lease(request, this.#deps.clock())
  }

  /** Commits one change, or returns why it did not. */
  async write(message: Versioned<WriteRequest>): Promise<Versioned<WriteReply> | OtherVersion> {
    const request = readRequest('write', message)
    if (!request) return otherVersion(message)
    if (this.#core.policy) this.#confirmPolicy()
    else await this.#load()
    return writeReply('write', versioned(await this.#writer.write(request)), message.v)
  }

  /** Proves that gates start, can store and respond, for `GET /readyz`. Throws if this gate cannot store. */
  ping(): void {
    proveCurrent(this.ctx.storage)
  }

  /** Imports one chunk of lines. */
  async importChunk(message: Versioned<ImportRequest>): Promise<Versioned<ImportReply> | OtherVersion> {
    const request = readRequest('import', message)
    if (!request) return otherVersion(message)
    if (this.#core.policy) this.#confirmPolicy()
    else await this.#load()
    return writeReply('import', versioned(await this.#importer.import(request)), message.v)
  }

  /** Undoes one chunk of changes. */
  async undoChunk(message: Versioned<UndoRequest>): Promise<Versioned<UndoReply> | OtherVersion> {
    const request = readRequest('undo', message)
    if (!request) return otherVersion(message)
    if (this.#core.policy) this.#confirmPolicy()
    else await this.#load()
    return writeReply('undo', versioned(await this.#undoer.undo(request)), message.v)
  }

  /**
   * Loads the tenant's policy and keys from D1. After `waitMs` milliseconds, no isolate applies an older policy. The
   * caller waits that long and not the gate, whose waiting would be billed and would block other requests. `sentAtMs`
   * is the time on the caller's clock.
   */
  async reload(sentAtMs: number): Promise<{ waitMs: number }> {
    this.#core.noteClock({ sentAtMs, isolate: null }, this.#deps.clock())
    const { waitMs } = await this.#load()
    await Promise.all([this.#writer.idle(), this.#importer.idle()])
    return { waitMs }
  }

  /** Returns the counts of the contract year and of each day. */
  async usage(): Promise<Usage> {
    if (!this.#core.policy) await this.#load()
    return this.#core.usage(this.#deps.clock())
  }

  async forget(): Promise<boolean> {
    const { tenant } = await this.#deps.loadPolicy(this.#scope)
    if (tenant !== null) return false
    await Promise.all([this.#writer.idle(), this.#importer.idle()])
    await this.ctx.storage.deleteAlarm()
    await this.ctx.storage.deleteAll()
    // A key of the tenant may still be sent. What follows from it holds nothing of the tenant.
    const { core, intents, writer, importer, undoer } = this.#fromStorage()
    this.#core = core
    this.#intents = intents
    this.#writer = writer
    this.#importer = importer
    this.#undoer = undoer
    this.#confirmedAtMs = 0
    return true
  }

  override async alarm(): Promise<void> {
    await this.#intents.resolveOverdue()
  }

  #fromStorage(): {
    core: GateCore
    intents: IntentWatch
    writer: GateWriter
    importer: GateImporter
    undoer: GateUndoer
  } {
    const { storage } = this.ctx
    const core = new GateCore(gateSql(storage), this.#deps.random, this.#deps.clock())
    const intents = new IntentWatch(this.#scope, core, this.#deps, (atMs) => storage.setAlarm(atMs))
    const writer = new GateWriter(this.#scope, core, this.#deps, intents)
    const importer = new GateImporter(this.#scope, core, this.#deps, writer, intents)
    return { core, intents, writer, importer, undoer: new GateUndoer(this.#scope, core, this.#deps, writer) }
  }

  async #firstLease(request: LeaseRequest): Promise<LeaseReply> {
    await this.#load()
    if (this.#core.policy) return this.#core.lease(request, this.#deps.clock())
    return { v: PROTOCOL_VERSION, kind: 'busy', backoffMs: RETRY_MIN_MS }
  }

  async #load(): Promise<{ waitMs: number }> {
    const { dataEpoch, d1Ms, tenant } = await this.#deps.loadPolicy(this.#scope)
    this.#core.noteD1Time(d1Ms, this.#deps.clock())
    // A data epoch is greater than all earlier policy versions, so the loss of a tenant counts as a new policy.
    const { policy, keys } = tenant ?? { policy: { ...NO_TENANT, version: dataEpoch }, keys: [] }
    // D1 was restored to an earlier time, or a later change overtook this read. The caller must not take this policy
    // for the one in force, so this throws.
    const core = this.#core
    if (dataEpoch < (core.loaded?.dataEpoch ?? 0) || policy.version < (core.policy?.version ?? 0))
      throw new Error('D1 is behind the policy in force')
    const nowMs = this.#deps.clock()
    // This object may have been replaced while it waited for D1. A Durable Object holds its response until its writes
    // are stored, so this writes even if nothing is new: a replaced object then sends no response.
    core.notePolicyLoaded(dataEpoch, nowMs)
    return core.setPolicy(policy, keys, nowMs)
  }

  /** Waits for a moment, and loads the policy. Those who wait at the same time share it. */
  #awaitMove(): Promise<void> {
    this.#moveLook ??= this.#deps
      .sleep(MOVE_LOOK_EVERY_MS)
      .then(() => this.#load())
      .then(
        () => undefined,
        (error) => void this.#deps.onStorageFailure(error, this.#scope),
      )
      .finally(() => {
        this.#moveLook = null
      })
    return this.#moveLook
  }

  /** Loads the policy in the background if the last load is older than `CONFIRM_POLICY_EVERY_MS`. */
  #confirmPolicy(): void {
    const nowMs = this.#deps.clock()
    const loadedAtMs = Math.max(this.#core.loaded?.atMs ?? 0, this.#confirmedAtMs)
    if (nowMs - loadedAtMs < CONFIRM_POLICY_EVERY_MS) return
    this.#confirmedAtMs = nowMs
    this.ctx.waitUntil(this.#load().catch((error) => this.#deps.onStorageFailure(error, this.#scope)))
  }
}

function scopeOf(name: string | undefined): Scope {
  const [tenantId, mode] = name?.split(':') ?? []
  if (!tenantId || (mode !== 'live' && mode !== 'test')) throw new Error('a gate is addressed by its name, tenant:mode')
  return { tenantId, mode: mode as Mode }
}
