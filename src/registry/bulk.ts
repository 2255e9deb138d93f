/**
 * Types and bounds of imports and exports of up to hundreds of thousands of customers: the lines of an import, their
 * outcomes and their cost in permits. A line is an upsert by external id, like `upsertCustomer`. An absent field is
 * kept, null clears it.
 */
import type { CustomerChanges, ParentReference } from './customer.ts'
import type { Failure } from './errors.ts'
import { PERMIT_BUYS } from './permits.ts'
import type { OnboardingChoice } from './ports.ts'

export type ImportedFields = Omit<CustomerChanges, 'externalId' | 'parent' | 'profile' | 'metadata'> & {
  metadata?: { replace: Record<string, string> } | undefined
  profile?: { replace: Record<string, unknown> } | undefined
  parent?: ImportedParent | null | undefined
}

/**
 * The parent that a line names. For an archived customer: the first of `ids` that exists, archived or not, else the
 * customer that has the external id.
 */
export type ImportedParent = ParentReference | { ids: string[]; externalId: string | null }

export interface ImportLine {
  /**
   * Distinguishes the line from the others, and is the id of the customer if the line creates one; see `newIdOf`. The
   * sender chooses it, so that a repeat has the same id.
   */
  id: string
  externalId: string
  fields: ImportedFields
  /**
   * The workflow of the customer if the line creates one. An isolate that runs older code leaves it out, which means no
   * workflow, as for most lines.
   */
  onboarding?: OnboardingChoice
  /** Former external ids, which find the customer too. Those that it has besides are kept. */
  formerIds?: string[]
  /**
   * Set for an archived customer: its possible ids. The first that exists is the customer; if there is none, the line
   * creates it with the last. An import never archives a customer, and never changes one that is archived.
   */
  archivedIds?: string[]
}

/** Returns the id of the customer if the line creates one. */
export function newIdOf({ id, archivedIds }: ImportLine): string {
  return archivedIds?.at(-1) ?? id
}

export type ImportOutcome =
  | { result: 'created' | 'updated' | 'unchanged'; id: string }
  | { result: 'error'; failure: Failure }

/**
 * Lines that are sent to the gate together. They are committed in one transaction, unless a rule refuses one of them.
 */
export interface ImportChunk {
  lines: ImportLine[]
  /**
   * The least number of permits that the chunk costs, by `importPermits`. An import waits for them and is not refused.
   */
  permits: number
  /** True: the gate changes nothing and returns the outcomes that the chunk would have. */
  dryRun: boolean
  /** For a dry run: lines of earlier chunks, in their order, that the results depend on. They are done first. */
  assumed: ImportLine[]
}

/** The stored customers that the results of a chunk depend on; only for a dry run. */
export interface ImportContext {
  /** The customer of each line; null if the line creates one. */
  customerIds: (string | null)[]
  /** The parent that each line names; null if it names none that is stored. */
  parentIds: (string | null)[]
  /** Customers above or at the places that lines give their customers, each with its parent. */
  tree: [id: string, parentId: string | null][]
  /** The customers that have the integrations which the lines name. */
  holders: [provider: string, entityId: string, customerId: string][]
}

export interface ImportedChunk {
  /** One outcome for each line, in the order of the lines. */
  outcomes: ImportOutcome[]
  /** A read that sends this token sees the chunk. Null when nothing was written. */
  consistencyToken: string | null
  /** Null unless the chunk was a dry run. */
  context: ImportContext | null
}

export const BULK_BOUNDS = {
  /** Lines in a chunk, which is one look-up and a few transactions. It delays others as long as a long page of a list. */
  chunkLinesMax: 200,
  /**
   * Bytes in a chunk, which is one bound value. It stays below D1's limit of 2 MB even if most characters are escaped.
   */
  chunkBytesMax: 512 * 1024,
  /** Bytes in a line: the limit that any other request has for one customer. */
  lineBytesMax: 256 * 1024,
  /** Lines that cost one permit. D1 imports a hundred lines in about the time of five single writes. */
  linesPerPermit: 100,
  /** Bytes of an upload that cost one permit, whatever is in them: the largest customer, or the CPU time to read blank lines. */
  uploadBytesPerPermit: 64 * 1024,
  /**
   * D1 statements that cost one permit: as many as the most expensive single request takes. A chunk takes some ten,
   * unless its lines depend on each other.
   */
  statementsPerPermit: 10,
  /** Statements of one chunk. D1 allows 1,000 per invocation. The isolate sends the rest of the chunk again. */
  statementsMax: 800,
  /**
   * Customers in a page of an export, for which a permit is taken before it is read. It looks at no more customers than a
   * page of a list, and the isolate holds all of it in memory.
   */
  exportPageCustomers: 2_000,
  exportPageBytes: 4 * 1024 * 1024,
  /** Customers and bytes of one read of a page. D1 serves others in between. */
  exportPieceCustomers: 250,
  exportPieceBytes: 1024 * 1024,
  /**
   * Customers that one response of an export looks at, and their bytes. D1 allows 1,000 reads per invocation, and takes a moment to find where the response ends.
   */
  exportCustomersMax: 10_000,
  exportBytesMax: 100_000_000,
  /** Pages that a response reads before it breaks off. It needs that many only if customers grow while it is sent. */
  exportPagesMax: 36,
  /** Bytes of an export that cost one more permit. */
  exportBytesPerPermit: PERMIT_BUYS.bytes,
} as const

/**
 * Returns how many permits a chunk costs: one per 100 lines, one per 10 D1 statements or one per whole 64 KB of the upload,
 * whichever is most, the first two rounded up. The sender counts the lines, including bad ones, and the bytes, including
 * blank lines. The gate adds the cost of the statements that the lines took.
 */
export function importPermits(lines: number, statements: number, bytes = 0): number {
  const { linesPerPermit, statementsPerPermit, uploadBytesPerPermit } = BULK_BOUNDS
  return Math.max(
    Math.ceil(lines / linesPerPermit),
    Math.ceil(statements / statementsPerPermit),
    Math.floor(bytes / uploadBytesPerPermit),
  )
}
