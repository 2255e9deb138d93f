/** The admin API accepts any JSON or refuses it by its field: it never answers 500 and never makes half of a change. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keyCreate, keyRotate } from '../../../../src/apis/admin/keys/schema.ts'
import { tenantCreate, tenantUpdate } from '../../../../src/apis/admin/tenants/schema.ts'
import { problemsOf } from '../../../../src/validation/problems.ts'
import { admin, newTenant } from '../../support/roster.ts'

const anything = fc.jsonValue({ maxDepth: 3 })
const or = (...usual: fc.Arbitrary<unknown>[]) => fc.oneof(anything, ...usual)
const time = fc.oneof(
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  fc.constantFrom('2026-01-20', '2026-02-30', '', '9999-12-31T23:59:59-23:59', '0000-01-01'),
)
const count = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(0, 1, 10, 1e15, -0))

const tenantInput = fc.record(
  {
    company_name: or(fc.string({ unit: 'binary' })),
    contact_email: or(fc.emailAddress()),
    tier: or(fc.constantFrom('starter', 'growth', 'scale', 'enterprise', 'custom')),
    status: or(fc.constantFrom('active', 'suspended')),
    limits: or(
      fc.record(
        { requests_per_second: count, burst: count, annual_commitment: count, annual_validation_limit: count },
        { requiredKeys: [] },
      ),
    ),
    contract_start: or(time),
    contract_end: or(time),
    event_retention_days: or(count),
    metadata: or(fc.dictionary(fc.string({ unit: 'binary' }), anything)),
  },
  { requiredKeys: [] },
)

describe('any JSON', () => {
  it('accepts it or refuses it in each schema, and no schema throws', () => {
    const keyInput = fc.record(
      {
        name: or(fc.string()),
        mode: or(fc.constant('test')),
        scopes: or(fc.array(fc.constant('webhooks:manage'))),
        expires_at: or(time),
      },
      { requiredKeys: [] },
    )
    const rotateInput = fc.record({ overlap_seconds: or(count), expires_at: or(time) }, { requiredKeys: [] })
    fc.assert(
      fc.property(fc.oneof(anything, tenantInput, keyInput, rotateInput), (input) => {
        for (const schema of [tenantCreate(), tenantUpdate(), keyCreate(), keyRotate()]) {
          const result = schema.safeParse(input)
          if (!result.success) expect(problemsOf(result.error).length).toBeGreaterThan(0)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('changes the whole tenant, or refuses and changes nothing', async () => {
    const { tenantId } = await newTenant()
    let before = (await admin('GET', `/${tenantId}`)).body
    await fc.assert(
      fc.asyncProperty(tenantInput, async (input) => {
        const { status, body } = await admin('PUT', `/${tenantId}`, input)
        expect([200, 400]).toContain(status)
        const after = (await admin('GET', `/${tenantId}`)).body
        expect(after).toEqual(status === 200 ? body : before)
        before = after
      }),
      { numRuns: 100 },
    )
  })
})
