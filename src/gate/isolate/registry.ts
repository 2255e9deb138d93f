/**
 * The registry as one request sees it from its isolate: puts together the admission, the reader, the writer and the
 * facts for the response. Requests share only leases (admission.ts) and memory (memory.ts), which are plain data.
 */
import type { Scope } from '../../registry/customer.ts'
import type { Registry } from '../../registry/ports.ts'
import { type LeaseHolder, leaseHolderFor } from './admission.ts'
import { IsolateReader } from './customer-reader.ts'
import { IsolateWriter } from './customer-writer.ts'
import { type Caller, gateNameOf, type IsolatePorts, type RequestOptions } from './deps.ts'
import { RequestAdmission } from './request-admission.ts'
import { ResponseFacts } from './response-facts.ts'

export class IsolateRegistry implements Registry {
  readonly scope: Scope
  readonly admission: RequestAdmission
  readonly reader: IsolateReader
  readonly facts: ResponseFacts
  /** The waiting times of this request so far. */
  readonly io: IsolatePorts['io']
  readonly #caller: Caller
  readonly #leaseHolder: LeaseHolder
  readonly #ports: IsolatePorts
  readonly #options: RequestOptions
  #writer: IsolateWriter | null = null

  constructor(caller: Caller, ports: IsolatePorts, options: RequestOptions) {
    const gateName = gateNameOf(caller)
    const leaseHolder = leaseHolderFor(gateName)
    this.scope = { tenantId: caller.tenantId, mode: caller.mode }
    this.io = ports.io
    this.facts = new ResponseFacts(leaseHolder.state, ports.clock)
    this.admission = new RequestAdmission(caller, leaseHolder, ports)
    this.reader = new IsolateReader(this.admission, ports, this.facts, leaseHolder, gateName, options.consistencyToken)
    this.#caller = caller
    this.#leaseHolder = leaseHolder
    this.#ports = ports
    this.#options = options
  }

  /** Made on first use: a hot read needs none. */
  get writer(): IsolateWriter {
    this.#writer ??= new IsolateWriter(
      this.#caller,
      this.#leaseHolder,
      this.admission,
      this.#ports,
      this.#options,
      this.facts,
    )
    return this.#writer
  }
}
