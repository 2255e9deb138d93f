/** Makes the tenants of `npm run bench:neighbour`, and sends their requests. */
import { CLUSTER_ADMIN_KEY } from '../test/node/support/cluster.ts'
import type { Attacker } from './neighbour-attacks.ts'

export async function newTenant(origin: string, tier: string): Promise<{ tenantId: string; key: string }> {
  const admin = adminOf(origin)
  const made = await admin('POST', '', { company_name: tier, contact_email: 'bench@example.com', tier })
  const { key } = await admin('POST', `/${made.customer_id}/keys`, {})
  return { tenantId: String(made.customer_id), key: String(key) }
}

export function adminOf(origin: string) {
  return async (method: string, path: string, body?: object): Promise<Record<string, unknown>> => {
    const answer = await fetch(new URL(`/admin/customers${path}`, origin), {
      method,
      headers: { 'x-api-key': CLUSTER_ADMIN_KEY, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    })
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status} ${await answer.text()}`)
    return answer.status === 204 ? {} : ((await answer.json()) as Record<string, unknown>)
  }
}

export function sender(origin: string, key: string): Attacker['send'] {
  return (method, path, body, headers = {}) =>
    fetch(new URL(path, origin), {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
}
