/**
 * The zod schemas of the FlatPeak API's responses. Only the OpenAPI document and the tests import this file; the Worker
 * does not. A response contains a group of fields if at least one field of the group is set.
 */
import { z } from 'zod'
import { customerIdOut, isoTime, tenantIdOut } from './values.ts'

const degrees = z.union([z.string(), z.number()]).optional()

export const flatpeakCustomer = z
  .object({
    id: customerIdOut,
    object: z.literal('customer'),
    live_mode: z.boolean(),
    reference_id: z.string(),
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

export const flatpeakReference = flatpeakCustomer
  .pick({ id: true, object: true, live_mode: true, reference_id: true })
  .meta({ id: 'FlatpeakCustomerReference' })

/** The customer that the caller has written. */
export const flatpeakWritten = z.union([flatpeakCustomer, flatpeakReference])

export const flatpeakList = z
  .object({
    object: z.literal('list'),
    url: z.literal('/customers'),
    has_more: z.boolean(),
    data: z.array(flatpeakCustomer),
  })
  .meta({ id: 'FlatpeakList' })

export const flatpeakAccepted = z.object({ message: z.literal('Accepted') }).meta({ id: 'FlatpeakAccepted' })

export const flatpeakToken = z
  .object({
    object: z.literal('token'),
    live_mode: z.boolean(),
    bearer_token: z.string(),
    expires_in: z.int(),
  })
  .meta({ id: 'FlatpeakToken' })

export const flatpeakError = z
  .object({
    object: z.literal('error'),
    live_mode: z.boolean(),
    type: z.enum(['invalid_request', 'conflict', 'rate_limit', 'api_error']),
    code: z.string(),
    param: z.string().optional(),
    message: z.string(),
    hint: z.string().optional(),
    time_created: isoTime,
  })
  .meta({ id: 'FlatpeakError' })
