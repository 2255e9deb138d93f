/** Values that several requests of the admin API have: times, pages and names of keys. */
import * as z from 'zod'
import { lazily } from '../../shared/lazily.ts'
import { cursor, issue, pageLimit } from '../../validation/fields.ts'
import { readTime } from '../../validation/time.ts'

const LIST_LIMIT_MAX = 100
const LIST_LIMIT_DEFAULT = 50

/** The name of a key that gets none, and the longest one. */
export const DEFAULT_KEY_NAME = 'default'
export const KEY_NAME_LENGTH_MAX = 100

/** A time from 1970 on, as `readTime` reads it. Null for null and `""`. */
export const optionalTime = lazily(() =>
  z
    .string()
    .nullable()
    .transform((value, context): number | null => {
      if (value === null || value === '') return null
      const timeMs = readTime(value)
      if (typeof timeMs === 'number' && timeMs >= 0) return timeMs
      const fault = typeof timeMs === 'number' ? { message: 'is before 1970', fix: 'send a later time' } : timeMs
      context.issues.push(issue(value, fault.message, fault.fix))
      return null
    }),
)

/** The parameters of a page of any list. */
export const page = lazily(() => ({
  limit: pageLimit(LIST_LIMIT_MAX, LIST_LIMIT_DEFAULT),
  cursor: cursor.optional(),
}))
