/**
 * The admission of one request: takes one permit, and checks the caller's scope against the verdict on its key. Every
 * part of the request that must not run for a refused caller checks here. A caller that is refused whatever its permits
 * (its key is unknown, lacks a scope, or its tenant is suspended) takes none, and costs no call of the gate as long as
 * the lease in force says so.
 */
import { type Failure, RegistryError } from '../../registry/errors.ts'
import { furtherPermits, type Work } from '../../registry/permits.ts'
import { type Eventual, whenKnown } from '../../shared/eventual.ts'
import type { KeyScope } from '../../tenants/tenant.ts'
import type { View } from '../core/freshness.ts'
import {
  type AdmissionPorts,
  type Admitted,
  admitAt,
  chargeAt,
  isLikelyRefused,
  type LeaseHolder,
  learnRefusal,
  refusedAt,
} from './admission.ts'
import type { Caller } from './deps.ts'
import { missingScope, refusalOf } from './refusals.ts'

/** The pause between two attempts to admit a long request again, where the refusal gives no longer one. */
const READMIT_WAIT_MS = 50

/** Shared, because a hot read does no work that is charged. */
const NO_WORK: Readonly<Work> = { rows: 0, bytes: 0 }

export class RequestAdmission {
  readonly #caller: Caller
  readonly #leaseHolder: LeaseHolder
  readonly #ports: AdmissionPorts
  #admitted: Admitted | Promise<Admitted> | null = null
  /** The scopes that the request needs, as far as it has said so. */
  #scopes: readonly string[] = []
  #isJudged = false
  #isLeftToGate = false
  /** The work of this request so far, and the permits that it has cost beyond those that admitted it. */
  #work = NO_WORK
  #charged = 0

  constructor(caller: Caller, leaseHolder: LeaseHolder, ports: AdmissionPorts) {
    this.#caller = caller
    this.#leaseHolder = leaseHolder
    this.#ports = ports
  }

  /**
   * Begins to decide on the caller, who needs all of these scopes. Call it before anything that takes CPU time: the clock
   * stands still until the next I/O, and a lease must not be judged by an earlier time.
   */
  begin(scopes: readonly KeyScope[]): void {
    void this.#admit(scopes)
  }

  /** Begins as `begin`. Throws `RegistryError` if the lease refuses the caller, so that nothing is done for it. */
  beginRead(scopes: readonly KeyScope[]): void {
    const admitted = this.#admit(scopes)
    const refusal = admitted instanceof Promise ? null : refusalOf(admitted, scopes)
    if (refusal) throw new RegistryError(refusal)
  }

  /**
   * Begins a write, which the gate admits. Throws `RegistryError` if the lease in force already refuses the caller, so
   * that its body is not read. Call it before anything that takes CPU time, as `begin`.
   */
  beginWrite(scopes: readonly KeyScope[]): void {
    const { bound, credential } = this.#caller
    this.#isJudged = true
    this.#scopes = scopes
    const refused = bound ? refusedBound(bound.scopes, scopes) : null
    this.#admitted = refused ?? refusedAt(this.#leaseHolder, credential, scopes, this.#ports)
    if (this.#admitted) throw new RegistryError(refusalOf(this.#admitted, scopes) as Failure)
  }

  /**
   * Marks the request as a write: the gate itself admits or refuses it. Throws `RegistryError` if the lease in force
   * already refuses the caller. A long request calls it for each part.
   */
  leaveToGate(scope: KeyScope): void {
    if (!this.#isJudged || this.#isLeftToGate) this.beginWrite([scope])
    this.#isLeftToGate = true
  }

  /** Takes the failure of a write. If further ones fail alike, the isolate learns to refuse them by itself. */
  noteRefusal({ reason }: Failure): void {
    if (reason !== 'unauthorized' && reason !== 'tenant_suspended' && reason !== 'missing_scope') return
    learnRefusal(this.#leaseHolder, this.#caller.credential, this.#ports)
  }

  /** True if the last lease refused the caller: then nothing is read for it before the next lease decides. */
  isLikelyRefused(scope: KeyScope): boolean {
    return isLikelyRefused(this.#leaseHolder, this.#caller.credential, [scope], this.#ports)
  }

  /**
   * Returns why the caller is refused, at once if that is decided; null when it is admitted, and for a write. Admits the caller
   * if that has not happened yet.
   */
  refusal(): Failure | null | Promise<Failure | null> {
    const admitted = this.#admitted
    if (admitted && !(admitted instanceof Promise)) return refusalOf(admitted, this.#scopes)
    return admitted === null && this.#isLeftToGate ? null : this.#lateRefusal()
  }

  async #lateRefusal(): Promise<Failure | null> {
    // The work so far took time that the clock does not show yet.
    if (!this.#admitted) await this.#ports.sleep(0)
    return refusalOf(await this.#admit(this.#scopes), this.#scopes)
  }

  /** Admits the caller and returns its name or the id of its key. Throws `RegistryError` when it is refused. */
  async admit(): Promise<string> {
    const admitted = await this.#admit(this.#scopes)
    const refusal = refusalOf(admitted, this.#scopes)
    if (refusal) throw new RegistryError(refusal)
    const { bound } = this.#caller
    return bound?.name ?? (admitted.verdict?.known ? admitted.verdict.keyId : '')
  }

  /** Admits the caller. Throws `RegistryError` when it is refused or lacks the scope. */
  async require(scope: KeyScope): Promise<void> {
    this.#requireScope(await this.#admit([scope]), scope)
  }

  /** Returns whether the caller has the scope. For a route that shows less to a caller without it. */
  async has(scope: KeyScope): Promise<boolean> {
    return this.#scopesOf(await this.#admit(this.#scopes)).includes(scope)
  }

  /**
   * Admits a long request once more: takes another permit, and uses the current policy and freshness. Waits while the
   * limit refuses.
   */
  async readmit(scope: KeyScope): Promise<void> {
    for (;;) {
      this.#admitted = null
      const admitted = await this.#admit([scope])
      if (admitted.admission !== 'rate_limited') return this.#requireScope(admitted, scope)
      await this.#ports.sleep(Math.max(READMIT_WAIT_MS, admitted.retryAfterMs))
    }
  }

  /**
   * Adds to the work of this request, and takes the permits that all of its work costs, as far as it has not yet. A caller
   * that was not admitted is charged nothing: it would spend the tenant's permits.
   */
  charge({ rows = 0, bytes = 0 }: Partial<Work>): void {
    if (!this.#admitted || this.#admitted instanceof Promise || this.#admitted.admission !== 'admitted') return
    this.#work = { rows: this.#work.rows + rows, bytes: this.#work.bytes + bytes }
    const permits = furtherPermits(this.#work) - this.#charged
    if (permits === 0) return
    this.#charged += permits
    chargeAt(this.#leaseHolder, permits, this.#ports)
  }

  /**
   * Returns the view of the lease; null while the call to the gate is under way. Throws `RegistryError` when the caller
   * is refused or lacks the scope.
   */
  viewIfDecided(scope: KeyScope): View | null {
    const admitted = this.#admitted ?? this.#admit([scope])
    if (admitted instanceof Promise) return null
    this.#requireScope(admitted, scope)
    return this.#leaseHolder.state.view
  }

  /** Returns the view of the lease, at once where the lease can decide. Throws or rejects as `viewIfDecided`. */
  view(scope: KeyScope): Eventual<View> {
    return whenKnown(this.#admitted ?? this.#admit([scope]), (admitted) => {
      this.#requireScope(admitted, scope)
      return this.#leaseHolder.state.view
    })
  }

  #admit(scopes: readonly string[]): Admitted | Promise<Admitted> {
    if (this.#admitted) return this.#admitted
    const { bound, credential } = this.#caller
    this.#scopes = scopes
    const refused = bound ? refusedBound(bound.scopes, scopes) : null
    const admitted = refused ?? admitAt(this.#leaseHolder, credential, bound ? [] : scopes, this.#ports)
    this.#admitted = admitted
    if (!(admitted instanceof Promise)) return admitted
    return admitted.then((late) => {
      this.#admitted = late
      return late
    })
  }

  #requireScope(admitted: Admitted, scope: KeyScope): void {
    const refusal = refusalOf(admitted, this.#scopes)
    if (refusal) throw new RegistryError(refusal)
    if (!this.#scopesOf(admitted).includes(scope)) throw missingScope(scope)
  }

  #scopesOf({ verdict }: Admitted): readonly string[] {
    return this.#caller.bound?.scopes ?? (verdict?.known ? verdict.scopes : [])
  }
}

/** Refuses a bound Worker without one of the scopes, without a lease: its operator set them at deployment. */
function refusedBound(held: readonly string[], scopes: readonly string[]): Admitted | null {
  if (scopes.every((scope) => held.includes(scope))) return null
  return {
    admission: 'missing_scope',
    verdict: { known: true, keyId: '', scopes: [...held], expiresInMs: null },
    retryAfterMs: 0,
  }
}
