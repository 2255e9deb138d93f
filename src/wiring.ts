/**
 * The only place that chooses the real clock, ids, store, cache and gate, and hands them to everything else.
 */
import type { TenantPrincipal } from './access/principal.ts'
import { type Bindings, readEnv } from './env.ts'
import { readToken, writeToken } from './gate/consistency-token.ts'
import { type EdgeDeps, EdgeRegistry, gateNameOf } from './gate/edge-registry.ts'
import type { ReadFrom } from './gate/fresh-read.ts'
import type { GateKey } from './gate/gate-storage.ts'
import type { WriteStore } from './gate/gate-writer.ts'
import type { LeaseReply, LeaseRequest, Policy } from './gate/protocol.ts'
import type { WriteReply, WriteRequest } from './gate/write-protocol.ts'
import type { HttpContext } from './http/door.ts'
import type { Scope } from './registry/customer.ts'
import type { ListQuery } from './registry/query.ts'
import { type Clock, systemClock } from './shared/clock.ts'
import { type NewId, newId, newTenantId } from './shared/ids.ts'
import { describeError, log } from './shared/log.ts'
import {
  listCustomers,
  readAliases,
  readAliasesOfEach,
  readByExternalId,
  readCustomer,
} from './storage/customer-reads.ts'
import { writeStore } from './storage/customer-writes.ts'
import { type Database, openDatabase } from './storage/database.ts'
import { kvCache } from './storage/kv-cache.ts'
import { loadTenantForGate, tenantStore } from './storage/tenants.ts'
import type { TenantDeps } from './tenants/ports.ts'
import { policyFor } from './tenants/tenant.ts'

export interface Wiring {
  clock: Clock
  bindings(env: Cloudflare.Env): Bindings
  /** What this caller may see and change, for this one request. */
  registryFor(c: HttpContext, principal: TenantPrincipal): EdgeRegistry
  tenants(env: Cloudflare.Env): TenantDeps
}

export const wiring: Wiring = {
  clock: systemClock,
  bindings: readEnv,
  registryFor(c, principal) {
    const requestId = c.get('requestId')
    const world = new EdgeWorld(readEnv(c.env), c.executionCtx, principal, requestId)
    return new EdgeRegistry({ ...principal, bound: null }, world, { requestId, headers: c.req.raw.headers })
  },
  tenants(env) {
    const bindings = readEnv(env)
    return {
      store: tenantStore(bindings.db),
      gates: {
        reload: (tenantId, mode) => bindings.gates.getByName(gateNameOf({ tenantId, mode })).reload(),
        usage: (tenantId, mode) => bindings.gates.getByName(gateNameOf({ tenantId, mode })).usage(),
      },
      clock: systemClock,
      newId,
      newTenantId,
      sleep,
      signingSecrets: bindings.signingSecrets,
    }
  },
}

/** What a gate needs of the world. */
export interface GateDeps {
  clock: Clock
  random(): number
  newId: NewId
  sleep(ms: number): Promise<unknown>
  writes: WriteStore
  /** Null: there is no such tenant. Reads the primary. */
  loadPolicy(scope: Scope): Promise<{ policy: Policy; keys: GateKey[] } | null>
  onStorageFailure(error: unknown, scope: Scope): void
}

export function gateDeps(env: Cloudflare.Env): GateDeps {
  const { db } = readEnv(env)
  return {
    clock: systemClock,
    random: Math.random,
    newId,
    sleep,
    writes: writeStore(db),
    async loadPolicy({ tenantId, mode }) {
      const known = await loadTenantForGate(openDatabase(db.withSession('first-primary')), tenantId, mode)
      return known && { policy: policyFor(known.tenant, mode), keys: known.keys }
    },
    onStorageFailure: (error, scope) =>
      log('error', { event: 'storage_failed', error: describeError(error), ...scope }),
  }
}

/** The world of one request. A class, because a hot request makes one and uses three of its methods. */
class EdgeWorld implements EdgeDeps {
  readonly clock = systemClock
  readonly random = Math.random
  readonly sleep = sleep
  readonly #bindings: Bindings
  readonly #execution: Pick<ExecutionContext, 'waitUntil'>
  readonly #scope: Scope
  readonly #requestId: string

  constructor(bindings: Bindings, execution: Pick<ExecutionContext, 'waitUntil'>, scope: Scope, requestId: string) {
    this.#bindings = bindings
    this.#execution = execution
    this.#scope = scope
    this.#requestId = requestId
  }

  get kv() {
    return kvCache(this.#bindings.cache, this.#scope)
  }

  waitUntil(work: Promise<unknown>): void {
    this.#execution.waitUntil(work)
  }

  async lease(request: LeaseRequest): Promise<LeaseReply> {
    return this.#gate().lease(request)
  }

  async write(request: WriteRequest): Promise<WriteReply> {
    return this.#gate().write(request)
  }

  readCustomer(id: string, from: ReadFrom) {
    return this.#read(from, (db) => readCustomer(db, this.#scope, id))
  }

  readByExternalId(externalId: string, from: ReadFrom) {
    return this.#read(from, (db) => readByExternalId(db, this.#scope, externalId))
  }

  readAliases(id: string, from: ReadFrom) {
    return this.#read(from, (db) => readAliases(db, this.#scope, id))
  }

  readAliasesOfEach(ids: readonly string[], from: ReadFrom) {
    return this.#read(from, (db) => readAliasesOfEach(db, this.#scope, ids))
  }

  readList(query: ListQuery, options: { total: boolean }, from: ReadFrom) {
    return this.#read(from, (db) => listCustomers(db, this.#scope, query, options))
  }

  readToken(text: string) {
    return readToken(text, this.#scope, this.#bindings.signingSecrets)
  }

  writeToken(seq: number, bookmark: string) {
    return writeToken({ seq, bookmark }, this.#scope, this.#bindings.signingSecrets[0] as string)
  }

  onStorageFailure(error: unknown): void {
    log('error', {
      event: 'storage_failed',
      requestId: this.#requestId,
      error: describeError(error),
      tenantId: this.#scope.tenantId,
      mode: this.#scope.mode,
    })
  }

  onChange(written: { customerId: string; effect: string; actor: string }): void {
    const { tenantId, mode } = this.#scope
    log('info', { event: 'changed', requestId: this.#requestId, ...written, tenantId, mode })
  }

  /** A new stub for each call: one that has seen its object fail stays broken. */
  #gate() {
    return this.#bindings.gates.getByName(gateNameOf(this.#scope))
  }

  /** A read in a session of its own, and the bookmark of the state of the database it saw. */
  async #read<T>(from: ReadFrom, read: (db: Database) => Promise<T>) {
    const start = from === 'primary' ? 'first-primary' : from === 'anywhere' ? 'first-unconstrained' : from.bookmark
    const session = this.#bindings.db.withSession(start)
    const value = await read(openDatabase(session))
    return { value, bookmark: session.getBookmark() }
  }
}

function sleep(ms: number): Promise<void> {
  return scheduler.wait(ms)
}
