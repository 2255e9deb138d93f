/**
 * The ports of one request's registry: the real gate, KV and D1, each call timed. Used by `services.ts` only.
 */
import type { Bindings } from '../env.ts'
import { leaseHolderFor } from '../gate/isolate/admission.ts'
import { readToken, writeToken } from '../gate/isolate/consistency-token.ts'
import { gateNameOf, type IsolatePorts } from '../gate/isolate/deps.ts'
import type { ReadFrom } from '../gate/isolate/fresh-read.ts'
import type { ImportReply, ImportRequest } from '../gate/protocol/imports.ts'
import { type LeaseReply, type LeaseRequest, versioned } from '../gate/protocol/leases.ts'
import type { UndoReply, UndoRequest } from '../gate/protocol/undo.ts'
import { callGate } from '../gate/protocol/versions.ts'
import type { WriteReply, WriteRequest } from '../gate/protocol/writes.ts'
import { type Dependency, IoTimes } from '../observability/io-times.ts'
import type { Scope } from '../registry/customer.ts'
import type { Failure } from '../registry/errors.ts'
import type { Moment, PastTarget } from '../registry/past.ts'
import { ROWS_OF_OBJECT } from '../registry/permits.ts'
import type { ExportQuery, ListQuery, Relation } from '../registry/query.ts'
import { systemClock } from '../shared/clock.ts'
import { log } from '../shared/log.ts'
import { sleep } from '../shared/sleep.ts'
import { countingOpened } from '../storage/archive/reads.ts'
import { readDuplicates } from '../storage/customers/duplicates.ts'
import { readExportPage } from '../storage/customers/export-pages.ts'
import { listCustomers } from '../storage/customers/list-pages.ts'
import { readPast } from '../storage/customers/past.ts'
import { findCustomer, readAliases, readAliasesOfEach, readByExternalId } from '../storage/customers/reads.ts'
import { readRelated } from '../storage/customers/related.ts'
import { countingRows, type Database, openDatabase } from '../storage/database.ts'
import { kvCache, noCache } from '../storage/kv-cache.ts'
import { boundAt } from '../storage/tenants/placement.ts'
import { storageFailure } from '../storage/unavailable.ts'
import { hintedDatabase, lookedUpDatabase } from './databases.ts'
import { heavyReadsOf } from './turns.ts'

/** A class, because a hot request creates one and uses only three of its methods. */
export class RequestServices implements IsolatePorts {
  readonly clock = systemClock
  readonly random = Math.random
  readonly sleep = sleep
  readonly io = new IoTimes()
  readonly #bindings: Bindings
  readonly #execution: Pick<ExecutionContext, 'waitUntil'>
  readonly #scope: Scope
  readonly #requestId: string
  #rowsRead = 0

  constructor(bindings: Bindings, execution: Pick<ExecutionContext, 'waitUntil'>, scope: Scope, requestId: string) {
    this.#bindings = bindings
    this.#execution = execution
    this.#scope = scope
    this.#requestId = requestId
  }

  get kv() {
    if (this.#bindings.cache === null) return noCache
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
    return this.#timed('gate', () =>
      callGate('write', versioned(request), this.#version(), async (message) => this.#gate().write(message)),
    )
  }

  importChunk(request: ImportRequest): Promise<ImportReply> {
    return this.#timed('gate', () =>
      callGate('import', versioned(request), this.#version(), async (message) => this.#gate().importChunk(message)),
    )
  }

  undoChunk(request: UndoRequest): Promise<UndoReply> {
    return this.#timed('gate', () =>
      callGate('undo', versioned(request), this.#version(), async (message) => this.#gate().undoChunk(message)),
    )
  }

  /** Returns the number of the database by the last lease, or else by the id of the tenant. */
  databaseHint(): number {
    return hintedDatabase(this.#bindings, this.#scope)
  }

  /** Looks up the number of the database for a caller without a lease. */
  database(): Promise<number> {
    return lookedUpDatabase(this.#bindings, this.#scope.tenantId)
  }

  takeRowsRead(): number {
    const rows = this.#rowsRead
    this.#rowsRead = 0
    return rows
  }

  readCustomer(id: string, from: ReadFrom) {
    return this.#read(from, (db) => findCustomer(db, this.#scope, id))
  }

  readByExternalId(externalId: string, from: ReadFrom) {
    return this.#read(from, (db) => readByExternalId(db, this.#scope, externalId))
  }

  readPast(target: PastTarget, moment: Moment, from: ReadFrom) {
    return this.#read(from, (db) => readPast(db, this.#scope, target, moment, this.#archive()))
  }

  readAliases(id: string, from: ReadFrom) {
    return this.#read(from, (db) => readAliases(db, this.#scope, id))
  }

  readAliasesOfEach(ids: readonly string[], from: ReadFrom) {
    return this.#read(from, (db) => this.#inTurn(() => readAliasesOfEach(db, this.#scope, ids)))
  }

  readDuplicates(id: string, from: ReadFrom) {
    return this.#read(from, (db) => readDuplicates(db, this.#scope, id))
  }

  readList(query: ListQuery, options: { total: boolean }, from: ReadFrom) {
    return this.#read(from, (db) =>
      listCustomers(db, this.#scope, query, { ...options, inTurn: (piece) => this.#inTurn(piece) }),
    )
  }

  readExportPage(query: ExportQuery, from: ReadFrom) {
    return this.#read(from, (db) => readExportPage(db, this.#scope, query, (piece) => this.#inTurn(piece)))
  }

  readRelated(relation: Relation, ids: readonly string[], from: ReadFrom) {
    return this.#read(from, (db) => this.#inTurn(() => readRelated(db, this.#scope, relation, ids)))
  }

  readToken(text: string) {
    return readToken(text, this.#scope, this.#bindings.signingSecrets)
  }

  writeToken(seq: number, bookmark: string) {
    return writeToken({ seq, bookmark }, this.#scope, this.#bindings.signingSecrets[0] as string)
  }

  onStorageFailure(error: unknown): Failure {
    const { tenantId, mode } = this.#scope
    return storageFailure(error, { requestId: this.#requestId, tenantId, mode })
  }

  onImport(counts: Record<string, number>): void {
    const { tenantId, mode } = this.#scope
    log('info', { event: 'imported', requestId: this.#requestId, ...counts, tenantId, mode })
  }

  onUndo(reverted: number): void {
    const { tenantId, mode } = this.#scope
    log('info', { event: 'undone', requestId: this.#requestId, reverted, tenantId, mode })
  }

  /** Returns the archive with a count of the objects that are opened, which the request pays for. */
  #archive(): R2Bucket {
    return countingOpened(this.#bindings.archive, () => {
      this.#rowsRead += ROWS_OF_OBJECT
    })
  }

  /** Runs a piece of a heavy read after those of other requests of this tenant and mode. */
  #inTurn<T>(piece: () => Promise<T>): Promise<T> {
    return heavyReadsOf({ executionCtx: this.#execution }, this.#scope)(piece)
  }

  #gate() {
    return this.#bindings.gateAt(gateNameOf(this.#scope))
  }

  /** Returns the state in which this isolate stores the protocol version of the gate. */
  #version(): { gateVersion: number } {
    return leaseHolderFor(gateNameOf(this.#scope)).state
  }

  /**
   * Reads in a session of its own. Returns the bookmark of the database state that the read saw, too: of the first batch,
   * if it took several.
   */
  async #read<T>(from: ReadFrom, read: (db: Database) => Promise<T>) {
    const { database, start } = from
    const constraint =
      start === 'primary' ? 'first-primary' : start === 'anywhere' ? 'first-unconstrained' : start.bookmark
    const session = boundAt(this.#bindings.databases, database).withSession(constraint)
    let bookmark: string | null = null
    const counted = countingRows(session, (rows) => {
      bookmark ??= session.getBookmark()
      this.#rowsRead += rows
    })
    const value = await this.#timed('d1', () => read(openDatabase(counted)))
    return { value, bookmark: bookmark ?? session.getBookmark() }
  }

  async #timed<T>(dependency: Dependency, work: () => Promise<T>): Promise<T> {
    const startMs = systemClock()
    try {
      return await work()
    } finally {
      this.io.addCall(dependency, systemClock() - startMs)
    }
  }
}
