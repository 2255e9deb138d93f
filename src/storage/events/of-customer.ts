import { sql } from 'drizzle-orm'
import { events } from '../schema/tables.ts'

/**
 * The events as a source for the events of one customer. The index has to be named: without statistics SQLite prefers the
 * order of the primary key, and would read all events of the tenant.
 */
export const EVENTS_OF_CUSTOMER = sql`${events} INDEXED BY events_customer`
