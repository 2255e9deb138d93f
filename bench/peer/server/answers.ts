/** The answers of the server: the same bodies and headers as Roster's. */
import type { FastifyReply } from 'fastify'
import { limitValues } from '../../../src/http/limit-headers.ts'
import type { Admission } from './cache.ts'
import type { Row } from './customers.ts'

/** Returns the JSON of a customer. */
export function jsonOf(row: Row, tenantId: string, mode: string): string {
  return JSON.stringify(shown(row, tenantId, mode))
}

/** Returns a customer in the shape of the v1 API. */
export function shown(row: Row, tenantId: string, mode: string) {
  return {
    id: row.id,
    external_id: row.external_id,
    name: row.name ?? '',
    email: row.email ?? '',
    contact: row.contact,
    address_line1: row.address_line1 ?? '',
    address_line2: row.address_line2 ?? '',
    address_city: row.address_city ?? '',
    address_state: row.address_state ?? '',
    address_postal_code: row.address_postal_code ?? '',
    address_country: row.address_country ?? '',
    timezone: row.timezone,
    parent_customer_id: row.parent_id,
    parent_customer: null,
    metadata: row.metadata,
    environment_id: mode === 'live' ? 'env_live' : 'env_test',
    tenant_id: tenantId,
    status: row.status,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    created_by: row.created_by,
    updated_by: row.updated_by,
  }
}

const COMMON = {
  'cache-control': 'no-store',
  'strict-transport-security': 'max-age=31536000',
  'x-content-type-options': 'nosniff',
}

/** Returns the headers of every answer, and those of the limit once it is known. */
export function headersOf(requestId: string, admission: Admission | null): Record<string, string> {
  if (admission === null) return { ...COMMON, 'x-request-id': requestId }
  const { tier, ratePerSecond, burst, tokens } = admission
  const policy = { tier, ratePerSecond, burst }
  const fullInMs = ((burst - tokens) / ratePerSecond) * 1_000
  const texts = limitValues({ policy, remaining: tokens, fullInMs } as Parameters<typeof limitValues>[0])
  return {
    ...COMMON,
    'x-request-id': requestId,
    'ratelimit-policy': texts.policy,
    ratelimit: texts.left,
    'x-ratelimit-limit': texts.limit,
    'x-ratelimit-remaining': texts.remaining,
    'x-ratelimit-reset': texts.resetSeconds,
  }
}

/** Sends a failure in the shape of the v1 API. */
export function fail(reply: FastifyReply, status: number, code: string, message: string, details: object = {}) {
  const error = { message, internal_error: '' }
  return reply
    .code(status)
    .header('content-type', 'application/json')
    .send(JSON.stringify({ success: false, error, code, message, http_status_code: status, details }))
}
