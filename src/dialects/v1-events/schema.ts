/**
 * What the log of events may be asked for.
 */
import * as z from 'zod'
import { EVENT_TYPES, type EventType } from '../../events/catalogue.ts'
import { cursor, issue, pageLimit, time } from '../fields.ts'

const LIMIT_MAX = 100
const LIMIT_DEFAULT = 50
const EVENT_ID = /^evt_[0-9A-HJKMNP-TV-Z]{26}$/
const CUSTOMER_ID = /^cust_[0-9A-HJKMNP-TV-Z]{26}$/

/** Whether this can be a customer's id at all. */
export function isCustomerId(id: string): boolean {
  return CUSTOMER_ID.test(id)
}

/** One or more of the types, comma-separated. */
const types = z.string().transform((value, context): EventType[] =>
  value.split(',', EVENT_TYPES.length).flatMap((name) => {
    const type = EVENT_TYPES.find((known) => known === name.trim())
    if (type) return [type]
    const message = `names ${name.slice(0, 50)}, which is no type of event`
    context.issues.push(issue(value, message, `send some of ${EVENT_TYPES.join(', ')}`))
    return []
  }),
)

export const eventListQuery = {
  limit: pageLimit(LIMIT_MAX, LIMIT_DEFAULT),
  cursor: cursor((id) => EVENT_ID.test(id)),
  type: types.optional(),
  start_time: time.optional(),
  end_time: time.optional(),
  order: z.enum(['desc', 'asc']).default('desc'),
}

export type EventListInput = z.output<z.ZodObject<typeof eventListQuery>>
