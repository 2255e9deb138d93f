/**
 * A half-finished edit, kept in the tab: a reload loses nothing.
 */
import type { Values } from '../../lib/edit.ts'

export interface Draft {
  /** The values that the edit began with, and their etag. */
  base: Values
  etag: string | null
  mine: Values
  reason: string
}

const keyOf = (customerId: string) => `roster.draft.${customerId}`

export function draftOf(customerId: string): Draft | null {
  const kept = sessionStorage.getItem(keyOf(customerId))
  return kept === null ? null : JSON.parse(kept)
}

export function keepDraft(customerId: string, draft: Draft): void {
  sessionStorage.setItem(keyOf(customerId), JSON.stringify(draft))
}

export function dropDraft(customerId: string): void {
  sessionStorage.removeItem(keyOf(customerId))
}
