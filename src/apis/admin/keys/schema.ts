/** Schemas of the requests about the API keys of a tenant. */
import * as z from 'zod'
import { lazily } from '../../../shared/lazily.ts'
import { SCOPES } from '../../../tenants/tenant.ts'
import { OVERLAP_SECONDS_MAX, text } from '../../../validation/fields.ts'
import { KEY_NAME_LENGTH_MAX, optionalTime, page } from '../fields.ts'

const expiresAt = lazily(() => optionalTime().optional())

export const keyCreate = lazily(() =>
  z.object({
    name: text(KEY_NAME_LENGTH_MAX).nullish(),
    mode: z.enum(['live', 'test']).default('live'),
    scopes: z
      .array(z.enum(SCOPES))
      .min(1)
      .max(2 * SCOPES.length)
      .default([...SCOPES]),
    expires_at: expiresAt(),
  }),
)
export type KeyInput = z.output<ReturnType<typeof keyCreate>>

export const keyRotate = lazily(() =>
  z.object({
    overlap_seconds: z.int().min(0).max(OVERLAP_SECONDS_MAX).default(0),
    expires_at: expiresAt(),
  }),
)

export const keyListQuery = page
