/**
 * The registry of a tenant for one request of an operator. The operator was identified on the D1 primary, and the
 * contract of the route has checked the role, so nothing is left to admit: no permit is taken, no lease is requested,
 * and the tenant may be suspended. Writes go through the gate as all writes do.
 */
import type { ImportChunk, ImportedChunk } from '../../registry/bulk.ts'
import type { Scope } from '../../registry/customer.ts'
import type { Failure } from '../../registry/errors.ts'
import type { Registry } from '../../registry/ports.ts'
import type { UndoChunk, UndoneChunk } from '../../registry/undo.ts'
import { leaseHolderFor } from './admission.ts'
import { IsolateWriter } from './customer-writer.ts'
import { gateNameOf, type IsolatePorts, type OperatorCaller, type RequestOptions } from './deps.ts'
import { PrimaryReader } from './primary-reader.ts'
import { ResponseFacts } from './response-facts.ts'

export class OperatorRegistry implements Registry {
  readonly scope: Scope
  readonly admission: OperatorAdmission
  readonly reader: PrimaryReader
  readonly writer: IsolateWriter
  readonly facts: ResponseFacts
  /** The waiting times of this request so far. */
  readonly io: IsolatePorts['io']

  /** `recheck` rejects if the operator may not go on with a long request. */
  constructor(
    scope: Scope,
    operator: OperatorCaller,
    ports: IsolatePorts,
    options: RequestOptions,
    recheck: () => Promise<void>,
  ) {
    const { tenantId, mode } = scope
    const caller = { tenantId, mode, credential: null, operator }
    // Its view learns of the write, as after any write of this isolate. Its permits are not touched.
    const leaseHolder = leaseHolderFor(gateNameOf(scope))
    this.scope = { tenantId, mode }
    this.io = ports.io
    this.facts = new UnmeteredFacts(leaseHolder.state, ports.clock)
    this.admission = new OperatorAdmission(operator.actor, recheck)
    this.reader = new PrimaryReader(ports, this.facts, options.consistencyToken, recheck)
    this.writer = new OperatorWriter(recheck, caller, leaseHolder, this.admission, ports, options, this.facts)
  }
}

/** Checks the operator anew before each chunk of an import or an undo, which may go on for long. */
class OperatorWriter extends IsolateWriter {
  readonly #recheck: () => Promise<void>

  constructor(recheck: () => Promise<void>, ...parts: ConstructorParameters<typeof IsolateWriter>) {
    super(...parts)
    this.#recheck = recheck
  }

  override async importChunk(chunk: ImportChunk): Promise<ImportedChunk> {
    await this.#recheck()
    return super.importChunk(chunk)
  }

  override async undoChunk(chunk: UndoChunk): Promise<UndoneChunk> {
    await this.#recheck()
    return super.undoChunk(chunk)
  }
}

/** Admits everything: an operator has every scope, and the contract of the route has checked its role. */
class OperatorAdmission {
  readonly #actor: string
  readonly #recheck: () => Promise<void>

  constructor(actor: string, recheck: () => Promise<void>) {
    this.#actor = actor
    this.#recheck = recheck
  }

  begin(): void {}

  beginRead(): void {}

  beginWrite(): void {}

  leaveToGate(): void {}

  noteRefusal(): void {}

  charge(): void {}

  refusal(): Failure | null {
    return null
  }

  async admit(): Promise<string> {
    return this.#actor
  }

  async require(): Promise<void> {}

  async has(): Promise<boolean> {
    return true
  }

  readmit(): Promise<void> {
    return this.#recheck()
  }
}

/** States no limits, because the request counts against none. */
class UnmeteredFacts extends ResponseFacts {
  override limits(): null {
    return null
  }
}
