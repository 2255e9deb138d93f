/**
 * The demo tenant of `npm start`: made through the doors like any other, once. Its keys are remembered beside the local
 * state, because a key is told only when it is made.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const COMPANY = 'Demo Energy'

/** Makes what is missing and answers `{tenantId, liveKey, testKey, parentId}`. */
export async function seedDemo({ origin, adminKey, stateFolder }) {
  const file = path.join(stateFolder, 'demo.json')
  const known = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null
  const demo = known && (await works(origin, known)) ? known : await makeTenant(origin, adminKey)
  writeFileSync(file, `${JSON.stringify(demo, null, 2)}\n`, { mode: 0o600 })

  const parent = await customer(origin, demo.liveKey, {
    external_id: 'acme',
    name: 'Acme Corporation',
    email: 'billing@acme.com',
    address_line1: '123 Main Street',
    address_city: 'San Francisco',
    address_state: 'CA',
    address_postal_code: '94105',
    address_country: 'US',
    metadata: { plan_tier: 'enterprise' },
  })
  await customer(origin, demo.liveKey, {
    external_id: 'acme-berlin',
    name: 'Acme Berlin GmbH',
    address_country: 'DE',
    timezone: 'Europe/Berlin',
    parent_customer_external_id: 'acme',
  })
  await customer(origin, demo.liveKey, { external_id: 'user_12345', name: 'Jane Doe', email: 'jane@example.com' })
  return { ...demo, adminKey, parentId: parent.id }
}

export function printWelcome(origin, demo) {
  console.log(`
Roster is served on ${origin}. Stop it with Ctrl-C. The reference: ${origin}/docs

  tenant     ${demo.tenantId}  (${COMPANY}, tier scale)
  live key   ${demo.liveKey}
  test key   ${demo.testKey}
  admin key  ${demo.adminKey}

Try:

  curl ${origin}/v1/customers/${demo.parentId} -H 'authorization: Bearer ${demo.liveKey}'

  curl '${origin}/v1/customers/external/acme-berlin?expand=parent_customer' -H 'authorization: Bearer ${demo.liveKey}'

  curl ${origin}/customers/${demo.parentId} -H 'authorization: Bearer ${demo.liveKey}'

  curl ${origin}/admin/customers/${demo.tenantId} -H 'x-api-key: ${demo.adminKey}'
`)
}

async function makeTenant(origin, adminKey) {
  const headers = { 'x-api-key': adminKey }
  const body = { company_name: COMPANY, contact_email: 'ops@demo.example', tier: 'scale' }
  const tenant = await post(`${origin}/admin/customers`, headers, body)
  const keys = `${origin}/admin/customers/${tenant.customer_id}/keys`
  const live = await post(keys, headers, { name: 'demo live', mode: 'live' })
  const test = await post(keys, headers, { name: 'demo test', mode: 'test' })
  return { tenantId: tenant.customer_id, liveKey: live.key, testKey: test.key }
}

function customer(origin, key, body) {
  return post(`${origin}/v1/customers?if_exists=return`, { authorization: `Bearer ${key}` }, body)
}

async function works(origin, demo) {
  const answer = await fetch(`${origin}/v1/customers?limit=1`, { headers: { authorization: `Bearer ${demo.liveKey}` } })
  await answer.arrayBuffer()
  return answer.ok
}

async function post(url, headers, body) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  if (!answer.ok)
    throw new Error(`The demo data could not be made: POST ${url} answered ${answer.status} ${await answer.text()}`)
  return answer.json()
}
