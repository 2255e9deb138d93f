/**
 * Candidates for one customer that was created twice: the reasons, and their order. Pure. Roster refuses none of them, because
 * two customers may well share an address.
 */
import type { Customer } from './customer.ts'

/** The reasons for which a customer may be another one, the strongest first. */
export const DUPLICATE_REASONS = ['same_integration_entity', 'same_email', 'same_name_and_postal_code'] as const
export type DuplicateReason = (typeof DUPLICATE_REASONS)[number]

export interface Duplicate {
  customer: Customer
  reasons: DuplicateReason[]
}

export const DUPLICATE_BOUNDS = {
  /** Candidates that a caller gets. */
  shownMax: 20,
  /** Customers with the same e-mail address that are looked at, newest first. */
  sameEmailMax: 25,
  /** Customers with the same name that are looked at, newest first, for their postal codes. */
  sameNameMax: 40,
} as const

/** Returns the candidates with their reasons, best first: the stronger reasons, then the newer customer. */
export function rankedDuplicates(found: readonly { customer: Customer; reason: DuplicateReason }[]): Duplicate[] {
  const byId = new Map<string, Duplicate>()
  for (const { customer, reason } of found) {
    const known = byId.get(customer.id)
    if (!known) byId.set(customer.id, { customer, reasons: [reason] })
    else if (!known.reasons.includes(reason)) known.reasons.push(reason)
  }
  for (const { reasons } of byId.values()) reasons.sort((a, b) => placeOf(a) - placeOf(b))
  const weight = ({ reasons }: Duplicate) =>
    reasons.reduce((sum, reason) => sum + 2 ** (DUPLICATE_REASONS.length - placeOf(reason)), 0)
  return [...byId.values()]
    .sort((a, b) => weight(b) - weight(a) || (a.customer.id < b.customer.id ? 1 : -1))
    .slice(0, DUPLICATE_BOUNDS.shownMax)
}

function placeOf(reason: DuplicateReason): number {
  return DUPLICATE_REASONS.indexOf(reason)
}
