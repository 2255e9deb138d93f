/**
 * Customers by the hundred thousand: what a line of an import is to the registry, what becomes of it, and what it costs.
 * A line is an upsert by external id, as `upsertCustomer`; an absent field is kept, null clears it.
 */
import type { CustomerChanges } from './customer.ts'
import type { Failure } from './failures.ts'
import type { OnboardingChoice } from './ports.ts'

export type ImportedFields = Omit<CustomerChanges, 'externalId' | 'profile' | 'metadata'> & {
  metadata?: { replace: Record<string, string> } | undefined
}

export interface ImportLine {
  /** Of the customer, should the line create one. Chosen by the sender, so that a repeat is the same. */
  id: string
  externalId: string
  fields: ImportedFields
  /** Should the line create a customer. Absent from an isolate that runs older code: none, as for most lines. */
  onboarding?: OnboardingChoice
}

export type ImportOutcome =
  | { result: 'created' | 'updated' | 'unchanged'; id: string }
  | { result: 'error'; failure: Failure }

/** Lines that travel together: committed in one transaction, unless a rule refuses one of them. */
export interface ImportChunk {
  lines: ImportLine[]
  /** How many permits the chunk costs. An import waits for them rather than being refused. */
  permits: number
  /** Nothing is changed; the outcomes are those that it would have. */
  dryRun: boolean
  /** Of a dry run: external ids among those of the lines and their parents that earlier chunks would have made. */
  assumed: string[]
}

export interface ImportedChunk {
  /** One for each line, in their order. */
  outcomes: ImportOutcome[]
  /** Sent back with a read, makes the read see the chunk; null when nothing was written. */
  consistencyToken: string | null
}

export const BULK_BOUNDS = {
  /** D1 does these in a tenth of a second, so that other writes of the tenant hardly wait. */
  chunkLinesMax: 500,
  /** As one bound value of D1 they stay below its 2 MB, however much of a line is escapes. */
  chunkBytesMax: 512 * 1024,
  /** The most that any other request may carry for one customer. */
  lineBytesMax: 256 * 1024,
  /** A line is a hundredth of a request: D1 does a hundred of them in about the time of five writes by themselves. */
  linesPerPermit: 100,
  /** An exported page is one read of D1. */
  exportPageCustomers: 500,
} as const
