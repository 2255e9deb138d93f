/**
 * Schemas of the query strings of customer import and export, and the media type of their lines.
 */
import * as z from 'zod'
import { isId } from '../../../shared/ids.ts'
import { lazily } from '../../../shared/lazily.ts'
import { issue } from '../../../validation/fields.ts'
import { nearestHint } from '../../../validation/nearest.ts'

export const NDJSON = 'application/x-ndjson'
export const CSV = 'text/csv'
export const CSV_TYPE = /\btext\/csv\b/i
/** Matches the media types of an import: CSV, and those that clients use for NDJSON. */
export const IMPORT_ACCEPTED = /^(?:application\/(?:x-ndjson|ndjson|jsonl|x-jsonlines)|text\/csv)$/

export const importQueryString = lazily(() =>
  z.strictObject({
    dry_run: z.enum(['true', 'false']).default('false'),
    /** Only for CSV. */
    delimiter: z.string().optional(),
    map: z.string().optional(),
  }),
)
export type ImportQuery = z.output<ReturnType<typeof importQueryString>>

const STATUSES = ['published', 'draft', 'archived'] as const

/** One or more statuses, comma-separated. */
const statuses = lazily(() =>
  z.string().transform((value, context) =>
    value.split(',').map((name) => {
      const status = STATUSES.find((known) => known === name.trim())
      if (!status) {
        const message = `names ${name.slice(0, 50)}, which is none of ${STATUSES.join(', ')}`
        context.issues.push(issue(name, message + nearestHint(name.trim(), STATUSES), 'send some of them'))
      }
      return status ?? 'published'
    }),
  ),
)

export const exportQueryString = lazily(() =>
  z.strictObject({
    format: z.enum(['ndjson', 'csv']).optional(),
    status: statuses().optional(),
    include_archived: z.enum(['true', 'false']).default('false'),
    after: z
      .string()
      .check((context) => {
        if (isId('customer', context.value)) return
        const fix = 'send the id of the last customer you have'
        context.issues.push(issue(context.value, 'is not the id of a customer', fix))
      })
      .optional(),
  }),
)
export type ExportQuery = z.output<ReturnType<typeof exportQueryString>>
