/** Schemas of the requests about the webhook endpoints of a tenant. */
import * as z from 'zod'
import { lazily } from '../../../shared/lazily.ts'

/** The part of an endpoint that an operator changes: the rest is the tenant's. */
export const endpointSwitch = lazily(() => z.object({ enabled: z.boolean() }))
