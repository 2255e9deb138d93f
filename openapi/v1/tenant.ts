/**
 * The routes of a tenant about itself, in the OpenAPI document. `openapi/build.ts` adds the error responses of the v1
 * API. The Worker does not import this file.
 */
import { z } from 'zod'
import { tenantContracts } from '../../src/apis/v1/tenant/contract.ts'
import { SCOPES } from '../../src/tenants/tenant.ts'
import { TIERS } from '../../src/tenants/tiers.ts'
import { adminKeyList, keyId, modeUsage } from '../admin-responses.ts'
import { documented } from '../documented.ts'
import { CURSOR_PARAMETER, KEY_ID, TENANT_ID, TIME } from '../fields/shared.ts'
import { isoTime, tenantIdOut } from '../values.ts'

const mode = z.enum(['live', 'test'])

const ownTenant = z
  .object({
    tenant_id: tenantIdOut,
    company_name: z.string(),
    tier: z.enum(TIERS),
    status: z.enum(['active', 'suspended']),
    mode,
    limits: z.object({
      requests_per_second: z.int(),
      burst: z.int(),
      annual_validation_limit: z.int().nullable(),
      storage_bytes: z.int(),
    }),
    key: z
      .object({
        key_id: keyId,
        name: z.string(),
        scopes: z.array(z.enum(SCOPES)),
        expires_at: isoTime.nullable(),
      })
      .nullable(),
  })
  .meta({ id: 'OwnTenant' })

const ownUsage = z
  .object({ tenant_id: tenantIdOut, mode, ...modeUsage, annual_validation_limit: z.int().nullable() })
  .meta({ id: 'OwnUsage' })

const SCOPES_OF_KEY = ['customers:read', 'customers:write']

export const tenantRoutes = documented(tenantContracts, {
  get: {
    operationId: 'getOwnTenant',
    summary: 'Get the tenant of the key',
    description: 'Which tenant and mode a key is of, its limits and its scopes. Any key of the tenant is enough.',
    answers: {
      200: {
        description: 'The tenant.',
        schema: ownTenant,
        example: {
          tenant_id: TENANT_ID,
          company_name: 'Acme Corporation',
          tier: 'scale',
          status: 'active',
          mode: 'live',
          limits: {
            requests_per_second: 200,
            burst: 400,
            annual_validation_limit: 30_000_000,
            storage_bytes: 2_000_000_000,
          },
          key: { key_id: KEY_ID, name: 'billing', scopes: SCOPES_OF_KEY, expires_at: null },
        },
      },
    },
  },
  usage: {
    operationId: 'getOwnUsage',
    summary: 'Get the usage of the tenant',
    description: 'The requests of each day and of the contract year, and the bytes stored, in the mode of the key.',
    answers: {
      200: {
        description: 'The usage.',
        schema: ownUsage,
        example: {
          tenant_id: TENANT_ID,
          mode: 'live',
          contract_year_start: '2026-01-01',
          admitted_this_year: 1200,
          permits_outstanding: 40,
          stored_bytes: 1_340_000,
          storage_bytes: 2_000_000_000,
          days: [{ date: '2026-01-20', admitted: 1200, rate_limited: 3, errors: 1 }],
          annual_validation_limit: 30_000_000,
        },
      },
    },
  },
  listKeys: {
    operationId: 'listOwnKeys',
    summary: 'List the keys of the tenant',
    description: 'The keys of the mode of the key, newest first, revoked ones too. Their texts are shown nowhere.',
    query: {
      limit: { description: 'The number of keys on a page, at most 100.', examples: [20] },
      cursor: CURSOR_PARAMETER,
    },
    answers: {
      200: {
        description: 'A page.',
        schema: adminKeyList,
        example: {
          items: [
            {
              key_id: KEY_ID,
              name: 'billing',
              mode: 'live',
              scopes: SCOPES_OF_KEY,
              status: 'active',
              expires_at: null,
              revoked_at: null,
              rotated_from: null,
              created_at: TIME,
              last_used_at: '2026-01-20T15:04:00.000Z',
            },
          ],
          pagination: { limit: 50, next_cursor: null, has_more: false },
        },
      },
    },
  },
})
