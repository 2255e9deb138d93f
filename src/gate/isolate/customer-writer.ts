/**
 * Writes one tenant's customers, for one request: sends each change to the gate, waits as long as the reply demands,
 * and stores the facts of the reply in the isolate.
 */
import type { ImportChunk, ImportedChunk } from '../../registry/bulk.ts'
import type { Customer } from '../../registry/customer.ts'
import { pick } from '../../registry/customer-fields.ts'
import { type Failure, RegistryError } from '../../registry/errors.ts'
import type { Command, CustomerWriter, Idempotency, Written } from '../../registry/ports.ts'
import type { UndoChunk, UndoneChunk } from '../../registry/undo.ts'
import { checkedReason } from '../../validation/reason.ts'
import { bucketOf } from '../core/freshness.ts'
import { READ_SCOPE, WRITE_SCOPE } from '../core/write-admission.ts'
import type { IsolateClock, Sending, WriteReply, WriteRequest } from '../protocol/writes.ts'
import type { LeaseHolder } from './admission.ts'
import { type Caller, gateNameOf, type RequestOptions, type WriterPorts } from './deps.ts'
import { countsOf, sendChunk, sendUndoChunk } from './importer.ts'
import { customerIdsInMemory, customersInMemory, snapshotOf } from './memory.ts'
import { checkedToken } from './refusals.ts'
import type { RequestAdmission } from './request-admission.ts'
import type { ResponseFacts } from './response-facts.ts'

const RECOVERIES_MAX = 2
/** The fields of a customer that a caller which may not read it gets. */
const REFERENCE_FIELDS = ['id', 'externalId', 'status', 'version'] as const

/** The part of an admission that a writer needs. */
type WriteAdmission = Pick<RequestAdmission, 'leaveToGate' | 'noteRefusal'>

export class IsolateWriter implements CustomerWriter {
  readonly #caller: Caller
  readonly #leaseHolder: LeaseHolder
  readonly #admission: WriteAdmission
  readonly #ports: WriterPorts
  readonly #options: RequestOptions
  readonly #facts: ResponseFacts

  constructor(
    caller: Caller,
    leaseHolder: LeaseHolder,
    admission: WriteAdmission,
    ports: WriterPorts,
    options: RequestOptions,
    facts: ResponseFacts,
  ) {
    this.#caller = caller
    this.#leaseHolder = leaseHolder
    this.#admission = admission
    this.#ports = ports
    this.#options = options
    this.#facts = facts
  }

  async write(command: Command, idempotency: Idempotency | null = null): Promise<Written> {
    const { consistencyToken, strongConsistency } = this.#options
    // A write does not use the token, but a caller that sends an invalid one gets an error.
    if (consistencyToken !== null) await checkedToken(consistencyToken, this.#ports)
    const sender = this.#sender()
    const reply = await this.#send({ ...sender, command, idempotency })
    this.#facts.gateLimits = reply.limits
    this.#facts.replayed = reply.replayed ?? false
    if (!reply.ok) throw this.#refused(reply.failure)
    const { customer, effect, erased, left, merge, unmerged, changedIds = [customer.id], seq, bookmark } = reply
    const isMade = !('dryRun' in command && command.dryRun)
    const token = isMade ? await this.#learn(changedIds, seq, bookmark) : ''
    if (isMade) this.#facts.consistencyToken = token
    if (erased) await this.#forget([customer.id, ...(erased.mergedIds ?? [])], erased.externalIds)
    else if (reply.asof !== undefined) this.#keep(customer, reply.asof)
    if (isMade && strongConsistency) await this.#ports.sleep(reply.strongInMs)
    const written = { effect, consistencyToken: token, erasure: erased?.receipt, left, merge }
    const { bound } = this.#caller
    if (bound ? bound.scopes.includes(READ_SCOPE) : reply.mayRead) {
      return { ...written, isCut: false, customer, unmerged }
    }
    const cut = unmerged && { ...unmerged, source: pick(unmerged.source, REFERENCE_FIELDS) }
    return { ...written, isCut: true, customer: pick(customer, REFERENCE_FIELDS), unmerged: cut }
  }

  async importChunk(chunk: ImportChunk): Promise<ImportedChunk> {
    const isolate = this.#leaseHolder.state.tallyId
    const reply = await sendChunk(chunk, { ...this.#sender(), isolate }, this.#ports)
    this.#facts.gateLimits = reply.limits
    if (!reply.ok) throw this.#refused(reply.failure)
    const { outcomes, written, context = null } = reply
    if (!written) return { outcomes, consistencyToken: null, context }
    const ids = outcomes.flatMap((outcome) => ('id' in outcome ? outcome.id : []))
    this.#ports.onImport(countsOf(outcomes))
    return { outcomes, consistencyToken: await this.#learn(ids, written.seq, written.bookmark), context }
  }

  async undoChunk(chunk: UndoChunk): Promise<UndoneChunk> {
    const isolate = this.#leaseHolder.state.tallyId
    const reply = await sendUndoChunk(chunk, { ...this.#sender(), isolate }, this.#ports)
    this.#facts.gateLimits = reply.limits
    if (!reply.ok) throw this.#refused(reply.failure)
    const { outcomes, nextBeforeId, written } = reply
    if (!written) return { outcomes, nextBeforeId, consistencyToken: null }
    this.#ports.onUndo(outcomes.filter(({ result }) => result === 'reverted').length)
    const ids = outcomes.map(({ id }) => id)
    return { outcomes, nextBeforeId, consistencyToken: await this.#learn(ids, written.seq, written.bookmark) }
  }

  #refused(failure: Failure): RegistryError {
    this.#admission.noteRefusal(failure)
    return new RegistryError(failure)
  }

  /**
   * Returns the sender for the gate to record. Throws `RegistryError` for a caller that the isolate can refuse by itself,
   * and for a reason that cannot be stored.
   */
  #sender(): Sending {
    const { credential, bound, operator } = this.#caller
    const { requestId } = this.#options
    const reason = checkedReason(this.#options.reason)
    this.#admission.leaveToGate(WRITE_SCOPE)
    const sending = { credential, caller: bound?.name ?? operator?.actor ?? null, requestId, reason }
    return operator ? { ...sending, operator: { role: operator.role, sessionId: operator.sessionId } } : sending
  }

  /**
   * Sends the request again when a gate that has just restarted has no permits for a moment: a caller below its limit
   * waits instead of being refused.
   */
  async #send(request: Omit<WriteRequest, keyof IsolateClock>): Promise<WriteReply> {
    for (let attempt = 0; ; attempt++) {
      const clock: IsolateClock = { sentAtMs: this.#ports.clock(), isolate: this.#leaseHolder.state.tallyId }
      const reply = await this.#ports.write({ ...request, ...clock }).catch((error): never => {
        throw new RegistryError(this.#ports.onStorageFailure(error))
      })
      const waitMs = !reply.ok && reply.failure.reason === 'rate_limited' ? (reply.recoversInMs ?? 0) : 0
      if (waitMs === 0 || attempt === RECOVERIES_MAX) return reply
      await this.#ports.sleep(waitMs)
    }
  }

  /** Stores in the view that these customers have changed, and returns the token with which a read sees the change. */
  #learn(customerIds: readonly string[], seq: number, bookmark: string): Promise<string> {
    for (const id of customerIds) this.#leaseHolder.state.view.learn(bucketOf(id), seq, bookmark)
    return this.#ports.writeToken(seq, bookmark)
  }

  /** Keeps the customer in memory as a read would: the gate says which writes it shows. */
  #keep(customer: Customer, asof: number): void {
    const prefix = `${gateNameOf(this.#caller)}:`
    customersInMemory.set(prefix + customer.id, { asof, value: snapshotOf(customer), isShared: false })
    if (customer.status !== 'archived') {
      customerIdsInMemory.set(prefix + customer.externalId, { id: customer.id, isShared: false })
    }
  }

  /**
   * Deletes an erased customer, and those that were merged into it, from memory and KV. Other isolates no longer return
   * them; the sweep clears KV once more a minute later.
   */
  async #forget(ids: readonly string[], externalIds: readonly string[]): Promise<void> {
    const prefix = `${gateNameOf(this.#caller)}:`
    for (const id of ids) customersInMemory.delete(prefix + id)
    for (const externalId of externalIds) customerIdsInMemory.delete(prefix + externalId)
    await this.#ports.kv.forget(ids, externalIds).catch((error) => this.#ports.onStorageFailure(error))
  }
}
