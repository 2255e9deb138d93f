/**
 * The rows of the screen that finds. Pure.
 */
import type { Mode } from '../api/call.ts'
import { count } from './format.ts'

export interface FoundCustomer {
  id: string
  externalId: string
  name: string
  email: string
  status: 'published' | 'draft' | 'archived'
  tenantId: string
  companyName: string | null
  mode: Mode
}

/** How many customers match, on all pages. */
export interface Total {
  customers: number
  /** Nobody counted further. */
  isCapped: boolean
}

/** Returns `100,002 customers`, or `at least 300 customers`. */
export function totalText({ customers, isCapped }: Total): string {
  return `${isCapped ? 'at least ' : ''}${count(customers, 'customer')}`
}

/** Returns a customer of the v1 API as a row. */
export function foundOf(
  { id, external_id: externalId, name, email, status }: V1Row,
  { tenantId, mode }: { tenantId: string; mode: Mode },
): FoundCustomer {
  return { id, externalId, name, email, status, tenantId, companyName: null, mode }
}

interface V1Row extends Pick<FoundCustomer, 'id' | 'name' | 'email' | 'status'> {
  external_id: string
}

/** Returns the customers with exact matches of the text first. The others keep their order. */
export function exactFirst(text: string, customers: readonly FoundCustomer[]): FoundCustomer[] {
  const isExact = ({ id, externalId, email, name }: FoundCustomer) =>
    id === text || externalId === text || [email, name].some((value) => value.toLowerCase() === text.toLowerCase())
  return [...customers.filter(isExact), ...customers.filter((each) => !isExact(each))]
}
