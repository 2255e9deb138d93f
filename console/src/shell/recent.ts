/**
 * Customers that were opened in this tab, newest first. Kept until the tab is closed or signed out, because names are
 * personal data.
 */
import type { FoundCustomer } from '../lib/find.ts'

const KEY = 'roster.recent'
const KEPT_MAX = 8

export function recentCustomers(): FoundCustomer[] {
  return JSON.parse(sessionStorage.getItem(KEY) ?? '[]')
}

/** Puts the customer at the top. */
export function keepRecent(customer: FoundCustomer): void {
  const others = recentCustomers().filter(({ id }) => id !== customer.id)
  sessionStorage.setItem(KEY, JSON.stringify([customer, ...others].slice(0, KEPT_MAX)))
}
