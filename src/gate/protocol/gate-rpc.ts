/**
 * The methods of a gate that other code calls. `entrypoints/tenant-gate.ts` is the class.
 */
import type { ImportReply, ImportRequest } from './imports.ts'
import type { LeaseReply, LeaseRequest, OtherVersion, Versioned } from './leases.ts'
import type { UndoReply, UndoRequest } from './undo.ts'
import type { Usage } from './usage.ts'
import type { WriteReply, WriteRequest } from './writes.ts'

export interface GateRpc extends Rpc.DurableObjectBranded {
  lease(request: LeaseRequest): LeaseReply | Promise<LeaseReply>
  write(request: Versioned<WriteRequest>): Promise<Versioned<WriteReply> | OtherVersion>
  importChunk(request: Versioned<ImportRequest>): Promise<Versioned<ImportReply> | OtherVersion>
  undoChunk(request: Versioned<UndoRequest>): Promise<Versioned<UndoReply> | OtherVersion>
  /** `sentAtMs` is the caller's clock. */
  reload(sentAtMs: number): Promise<{ waitMs: number }>
  usage(): Promise<Usage>
  ping(): void
  /** Deletes all that the gate stores. Returns false, and deletes nothing, if the tenant is in D1. */
  forget(): Promise<boolean>
}
