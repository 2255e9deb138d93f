/** The results of the RPC methods, as bound Workers get them. */
import type { DuplicateReason } from '../../registry/duplicates.ts'
import type { UndoOutcome } from '../../registry/undo.ts'
import type { CustomerFailure } from './errors.ts'
import type { Kept, Moved } from './mapping.ts'
import type { Customer, CustomerReference } from './schema.ts'

/** The result of a call that failed. */
export interface Failed {
  ok: false
  failure: CustomerFailure
}
export type Found = { ok: true; customer: Customer } | Failed
/**
 * A read that sends `consistencyToken` sees this write. A binding without the scope `customers:read` gets a
 * `CustomerReference`.
 */
export type Changed = { ok: true; customer: Customer | CustomerReference; consistencyToken: string } | Failed
export type Reverted =
  | {
      ok: true
      customer: Customer | CustomerReference
      /** Fields in which the customer is not what it was. */
      left: ('externalId' | 'parentId' | 'integrations' | 'status')[]
      consistencyToken: string
    }
  | Failed
export type Undone =
  | { ok: true; outcomes: UndoOutcome[]; next: string | null; undoId: string; consistencyToken: string | null }
  | Failed
export type FoundOrCreated =
  | { ok: true; customer: Customer | CustomerReference; created: boolean; consistencyToken: string }
  | Failed
/**
 * The customer is the survivor. `moved` is null for a binding without the scope `customers:read`, and the token is null for
 * a dry run.
 */
export type Merged =
  | {
      ok: true
      customer: Customer | CustomerReference
      sourceId: string
      moved: Moved | null
      consistencyToken: string | null
    }
  | Failed
/**
 * The customer is the survivor, `source` the customer that is itself again. `moved` and `kept` are null for a binding without
 * the scope `customers:read`, and the token is null for a dry run.
 */
export type Unmerged =
  | {
      ok: true
      customer: Customer | CustomerReference
      source: Customer | CustomerReference
      moved: Moved | null
      kept: Kept[] | null
      consistencyToken: string | null
    }
  | Failed
export type Suspected = { ok: true; duplicates: { customer: Customer; reasons: DuplicateReason[] }[] } | Failed
/** A page may be short or empty before the last one. `nextCursor` is null on the last page. */
export type Listed = { ok: true; customers: Customer[]; nextCursor: string | null } | Failed
