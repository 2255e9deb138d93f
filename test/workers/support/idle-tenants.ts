/** Tenants that have nothing, by the hundred: for sweeps and lists that go through all of them. */
import { env } from 'cloudflare:workers'

const NAME = 'Idle'

export function addIdleTenants(count: number): Promise<unknown> {
  return env.DB.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
    INSERT INTO tenants (id, company_name, contact_email, tier, status, requests_per_second, burst, annual_commitment,
      annual_validation_limit, storage_bytes, metadata, created_at, updated_at, version, policy_version, policy_applied_version)
    SELECT printf('00000000-0000-7000-8000-%012x', i), ?2, 'a@b.example', 'starter', 'active', 10, 20, 0, 1, 1, '{}', 0, 0, 1, 1, 1 FROM n`,
  )
    .bind(count, NAME)
    .run()
}

export function removeIdleTenants(): Promise<unknown> {
  return env.DB.prepare('DELETE FROM tenants WHERE company_name = ?').bind(NAME).run()
}
