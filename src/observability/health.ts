/** The state of the deployment, as operators see it. */
import type { Mode } from '../registry/customer.ts'
import type { RosterError } from './error-counts.ts'

/** A number of things that are counted up to a bound. */
export interface Capped {
  total: number
  isCapped: boolean
}

export interface FailingEndpoint {
  tenantId: string
  companyName: string
  mode: Mode
  endpointId: string
  url: string
  failingSinceMs: number
}

export interface Health {
  databases: { name: string; bytes: number; bytesMax: number }[]
  /** Objects, and the time before which no event is left in D1; null before the first round of the sweep. */
  archive: { objects: number; events: number; bytes: number; beforeMs: number | null }
  /** Deliveries of webhooks that are not done, and when the first of them is or was due. */
  outbox: { pending: Capped; oldestDueAtMs: number | null }
  /** Those that have failed for longest come first. */
  failingEndpoints: Capped & { items: FailingEndpoint[] }
  errorsLastHour: (RosterError & { count: number })[]
  /** Work of the sweep that is left: changes of tenants that are not in force, and tenants that are being deleted. */
  unfinished: { policies: Capped; deletions: Capped }
}
