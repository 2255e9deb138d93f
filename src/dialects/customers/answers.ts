/**
 * zod for what the FlatPeak door answers, in its own words (seed 002). For the OpenAPI document and the tests: nothing the
 * Worker runs imports it. A group is there when something in it is set.
 */
import { z } from 'zod'
import { customerIdOut, isoTime, tenantIdOut } from '../answers.ts'

const degrees = z
  .union([z.string(), z.number()])
  .optional()
  .meta({ description: 'Decimal degrees, digit for digit as they were sent.' })

export const flatpeakCustomer = z
  .object({
    id: customerIdOut,
    object: z.literal('customer'),
    live_mode: z.boolean(),
    reference_id: z.string().meta({ description: 'Your own id of the customer.' }),
    personal_details: z.object({
      email: z.string().optional(),
      email_verified: z.boolean().optional(),
      phone: z.string().optional(),
      phone_verified: z.boolean().optional(),
      preferred_locale: z.string().optional(),
      timezone: z.string(),
    }),
    postal_address: z
      .object({
        address_line1: z.string(),
        address_line2: z.string(),
        city: z.string(),
        state: z.string(),
        post_code: z.string(),
        country_code: z.string(),
      })
      .partial()
      .optional(),
    geo_location: z.object({ latitude: degrees, longitude: degrees }).optional(),
    terms_accepted: z.object({ terms_accepted: z.boolean(), terms_accepted_time: z.string() }).partial().optional(),
    providers: z.array(z.string()).optional(),
    locations: z.array(z.string()),
    devices: z.array(z.string()).optional(),
    time_created: isoTime,
    account_id: tenantIdOut,
  })
  .meta({ id: 'FlatpeakCustomer' })

export const flatpeakList = z
  .object({
    object: z.literal('list'),
    url: z.literal('/customers'),
    has_more: z.boolean(),
    data: z.array(flatpeakCustomer),
  })
  .meta({ id: 'FlatpeakList' })

export const flatpeakAccepted = z.object({ message: z.literal('Accepted') })

export const flatpeakToken = z.object({
  object: z.literal('token'),
  live_mode: z.boolean(),
  bearer_token: z.string(),
  expires_in: z.int().meta({ description: 'Seconds.' }),
})

export const flatpeakError = z
  .object({
    object: z.literal('error'),
    live_mode: z.boolean(),
    type: z.enum(['invalid_request', 'conflict', 'rate_limit', 'api_error']),
    code: z.string(),
    param: z.string().optional().meta({ description: 'The field that is wrong.' }),
    message: z.string(),
    time_created: isoTime,
  })
  .meta({ id: 'FlatpeakError' })
