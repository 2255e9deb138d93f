/**
 * The world of one request: the real gate, KV and D1 as its registry sees them, each timed. Part of wiring.ts.
 */
import type { Bindings } from '../env.ts'
import { readToken, writeToken } from '../gate/consistency-token.ts'
import { type EdgeDeps, gateNameOf } from '../gate/edge-deps.ts'
import type { ReadFrom } from '../gate/fresh-read.ts'
import type { ImportReply, ImportRequest } from '../gate/import-protocol.ts'
import { type LeaseReply, type LeaseRequest, understood, versioned } from '../gate/protocol.ts'
import type { WriteReply, WriteRequest } from '../gate/write-protocol.ts'
import type { Scope } from '../registry/customer.ts'
import type { ListQuery } from '../registry/query.ts'
import { systemClock } from '../shared/clock.ts'
import { describeError, log } from '../shared/log.ts'
import {
  listCustomers,
  readAliases,
  readAliasesOfEach,
  readByExternalId,
  readCustomer,
} from '../storage/customer-reads.ts'
import { type Database, openDatabase } from '../storage/database.ts'
import { kvCache } from '../storage/kv-cache.ts'
import { type Asked, IoTimes } from '../watching/io-times.ts'

/** A class, because a hot request makes one and uses three of its methods. */
export class EdgeWorld implements EdgeDeps {
  readonly clock = systemClock
  readonly random = Math.random
  readonly sleep = sleep
  readonly io = new IoTimes()
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
    const kv = kvCache(this.#bindings.cache, this.#scope)
    return {
      ...kv,
      customer: (id: string) => this.#timed('kv', () => kv.customer(id)),
      customerId: (externalId: string) => this.#timed('kv', () => kv.customerId(externalId)),
    }
  }

  waitUntil(work: Promise<unknown>): void {
    this.#execution.waitUntil(work)
  }

  lease(request: LeaseRequest): Promise<LeaseReply> {
    return this.#timed('gate', async () => this.#gate().lease(request))
  }

  write(request: WriteRequest): Promise<WriteReply> {
    return this.#timed('gate', async () => understood(await this.#gate().write(versioned(request))))
  }

  importChunk(request: ImportRequest): Promise<ImportReply> {
    return this.#timed('gate', async () => understood(await this.#gate().importChunk(versioned(request))))
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

  onImport(counts: Record<string, number>): void {
    const { tenantId, mode } = this.#scope
    log('info', { event: 'imported', requestId: this.#requestId, ...counts, tenantId, mode })
  }

  #gate() {
    return this.#bindings.gateAt(gateNameOf(this.#scope))
  }

  /** A read in a session of its own, and the bookmark of the state of the database it saw. */
  async #read<T>(from: ReadFrom, read: (db: Database) => Promise<T>) {
    const start = from === 'primary' ? 'first-primary' : from === 'anywhere' ? 'first-unconstrained' : from.bookmark
    const session = this.#bindings.db.withSession(start)
    const value = await this.#timed('d1', () => read(openDatabase(session)))
    return { value, bookmark: session.getBookmark() }
  }

  async #timed<T>(asked: Asked, work: () => Promise<T>): Promise<T> {
    const startMs = systemClock()
    try {
      return await work()
    } finally {
      this.io.addCall(asked, systemClock() - startMs)
    }
  }
}

export function sleep(ms: number): Promise<void> {
  return scheduler.wait(ms)
}
