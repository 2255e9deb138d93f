/**
 * Schema of the query string of the event log.
 */
import * as z from 'zod'
import { EVENT_TYPES, type EventType } from '../../../events/catalogue.ts'
import { lazily } from '../../../shared/lazily.ts'
import { cursor, issue, pageLimit, time } from '../../../validation/fields.ts'
import { nearestHint } from '../../../validation/nearest.ts'

const LIMIT_MAX = 100
const LIMIT_DEFAULT = 50

/** One or more event types, comma-separated. */
const types = lazily(() =>
  z.string().transform((value, context): EventType[] =>
    value.split(',', EVENT_TYPES.length).flatMap((name) => {
      const type = EVENT_TYPES.find((known) => known === name.trim())
      if (type) return [type]
      const message = `names ${name.slice(0, 50)}, which is no type of event${nearestHint(name.trim(), EVENT_TYPES)}`
      context.issues.push(issue(value, message, `send some of ${EVENT_TYPES.join(', ')}`))
      return []
    }),
  ),
)

export const eventListQuery = lazily(() =>
  z.strictObject({
    limit: pageLimit(LIMIT_MAX, LIMIT_DEFAULT),
    cursor: cursor.optional(),
    type: types().optional(),
    start_time: time.optional(),
    end_time: time.optional(),
    order: z.enum(['desc', 'asc']).default('desc'),
  }),
)

export type EventListInput = z.output<ReturnType<typeof eventListQuery>>
