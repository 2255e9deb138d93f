/** Computes what a change of the audit changed. Pure. */
import { canonicalJson } from '../shared/canonical-json.ts'

/**
 * A field that differs, with its values; null where it has none. A field of an object is named with that of the object:
 * `limits.burst`, `metadata.plan`. The name of the object ends at the first dot, as no field of a document has one.
 */
export interface FieldChange {
  field: string
  before: unknown
  after: unknown
}

type Document = Record<string, unknown>

/** Fields that follow from each change, or that no change touches. */
const BOOKKEEPING: ReadonlySet<string> = new Set(['id', 'version', 'created_at', 'created_by', 'updated_at', 'stamps'])

/**
 * Returns the fields that differ between two documents, in the order of the later one. Empty where one of the documents
 * is missing: the other one says it all.
 */
export function changesOf(before: Document | null, after: Document | null): FieldChange[] {
  if (before === null || after === null) return []
  return namesIn(after, before).flatMap((name) =>
    BOOKKEEPING.has(name) ? [] : changesAt(name, valueIn(before, name), valueIn(after, name)),
  )
}

function changesAt(name: string, before: unknown, after: unknown): FieldChange[] {
  if (isGroup(before) || isGroup(after)) {
    const [earlier, later] = [isGroup(before) ? before : {}, isGroup(after) ? after : {}]
    return namesIn(later, earlier).flatMap((inner) =>
      difference(`${name}.${inner}`, valueIn(earlier, inner), valueIn(later, inner)),
    )
  }
  return difference(name, before, after)
}

function difference(field: string, before: unknown, after: unknown): FieldChange[] {
  return canonicalJson(before) === canonicalJson(after) ? [] : [{ field, before, after }]
}

/** Returns null for a field that is not there. Metadata may have a field such as `constructor`, which every object inherits. */
function valueIn(document: Document, name: string): unknown {
  return Object.hasOwn(document, name) ? (document[name] ?? null) : null
}

function namesIn(first: Document, second: Document): string[] {
  return [...new Set([...Object.keys(first), ...Object.keys(second)])]
}

/** Returns true for an object. A number that keeps its digits is an object of the runtime, too. */
function isGroup(value: unknown): value is Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value)
}
