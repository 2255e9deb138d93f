/**
 * Makes the demo tenant of `npm start` through the APIs, once, and prints the lines to try it with. Roster shows a key only
 * when it makes it, so the id of the tenant and the keys are kept beside the local state.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { plainText } from '../src/shared/shown-text.ts'

const COMPANY = 'Demo Energy'

/** The second belongs to the first. */
const CUSTOMERS = [
  {
    external_id: 'acme',
    name: 'Acme Corporation',
    email: 'billing@acme.com',
    address_line1: '123 Main Street',
    address_city: 'San Francisco',
    address_state: 'CA',
    address_postal_code: '94105',
    address_country: 'US',
    metadata: { plan_tier: 'enterprise' },
  },
  {
    external_id: 'acme-berlin',
    name: 'Acme Berlin GmbH',
    address_country: 'DE',
    timezone: 'Europe/Berlin',
    parent_customer_external_id: 'acme',
  },
  { external_id: 'user_12345', name: 'Jane Doe', email: 'jane@example.com' },
]

/** README.md has the same lines; test/node/docs/pages.test.ts compares them. */
const EXAMPLES = `\
curl -X PUT "$ROSTER/v1/customers/external/user_1" -H "authorization: Bearer $KEY" \\
  -H 'content-type: application/json' -d '{"name": "Acme Corporation", "email": "billing@acme.com"}'

curl -i "$ROSTER/v1/customers/external/user_1" -H "authorization: Bearer $KEY"

curl "$ROSTER/v1/customers?q=acme+bill" -H "authorization: Bearer $KEY"

curl "$ROSTER/customers?reference_id=user_1" -H "authorization: Bearer $KEY"

curl "$ROSTER/admin/audit?tenant_id=$TENANT&limit=3" -H "x-api-key: $ADMIN"`

/** The file beside the local state. The id says which tenant it is, whatever becomes of its name, tier or keys. */
interface Kept {
  tenantId: string
  liveKey: string
  testKey: string
  /** The id of a customer that has another one below it. Absent in files of earlier versions. */
  parentId?: string
}

export interface Demo extends Required<Kept> {
  adminKey: string
  company: string
  tier: string
  /** The facts that the reader has to know before trying the demo tenant, a sentence each. */
  notes: string[]
}

/** The answer of the admin API about a tenant, as far as it is used. */
interface TenantAnswer {
  customer_id: string
  company_name: string
  tier: string
  status: 'active' | 'suspended'
}

interface Options {
  origin: string
  adminKey: string
  stateFolder: string
}

/**
 * Finds the demo tenant by its kept id, and makes what is missing: the tenant if it was deleted, a key that was revoked,
 * its customers. Never makes a second tenant beside the first. Throws if Roster refuses the admin key.
 */
export async function seedDemo(options: Options): Promise<Demo> {
  const { origin, adminKey, stateFolder } = options
  const file = path.join(stateFolder, 'demo.json')
  const known: Kept | null = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null
  const notes: string[] = []
  const found = known && (await tenantOf(options, known.tenantId))
  if (known && !found) notes.push('The demo tenant was deleted, so this is a new one.')
  const tenant = found ?? (await newTenant(options))
  const keep = (kept: Kept) => writeFileSync(file, `${JSON.stringify(kept, null, 2)}\n`, { mode: 0o600 })
  // Kept before anything else is made, so that a start that breaks off does not make another tenant.
  const kept: Kept = found && known ? known : { tenantId: tenant.customer_id, liveKey: '', testKey: '' }
  keep(kept)
  if (tenant.status === 'suspended') {
    notes.push(
      `The demo tenant is suspended, so its keys are refused. This admits them again: npm run tenant -- reactivate ${kept.tenantId}${urlOf(origin)}`,
    )
  } else {
    for (const mode of ['live', 'test'] as const) {
      const name = `${mode}Key` as const
      if (kept[name] !== '' && (await isAccepted(origin, kept[name]))) continue
      if (kept[name] !== '')
        notes.push(`The ${mode} key of the demo tenant was revoked or has expired, so it has a new one.`)
      kept[name] = await newKey(options, kept.tenantId, mode)
      keep(kept)
    }
    const refusal = await seedCustomers(origin, kept)
    if (refusal) notes.push(`The demo customers could not be made: ${refusal}`)
    keep(kept)
  }
  const { company_name: company, tier } = tenant
  return { parentId: '', ...kept, adminKey, company: plainText(company), tier, notes }
}

/** The operator that the console of `npm start` is used as. */
const OPERATOR = { name: 'Demo Owner', email: 'owner@demo.example', role: 'owner' }

/**
 * Makes the demo operator, or finds it. Returns a link that signs in to the console once; null if it has too many that were not
 * used.
 */
export async function newSignInLink({ origin, adminKey }: Omit<Options, 'stateFolder'>): Promise<string | null> {
  const operators = `${origin}/admin/operators`
  const operatorId = (await operatorOf(operators, adminKey)) ?? (await made(operators, adminKey, OPERATOR)).operator_id
  const headers = { 'x-api-key': adminKey }
  const { ok, answer } = await send(`${operators}/${operatorId}/sign_in_links`, { method: 'POST', headers })
  return ok ? String(answer.url) : null
}

/** Returns the id of the demo operator; null if there is none. */
async function operatorOf(operators: string, adminKey: string): Promise<string | null> {
  for (let cursor = ''; ; ) {
    const url = `${operators}?limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`
    const { ok, status, answer } = await send(url, { headers: { 'x-api-key': adminKey } })
    if (!ok) throw notMade(url, status, answer)
    const { items, pagination } = answer as unknown as OperatorPage
    const found = items.find(({ email }) => email === OPERATOR.email)
    if (found || pagination.next_cursor === null) return found?.operator_id ?? null
    cursor = pagination.next_cursor
  }
}

/** A page of operators, as far as it is used. */
interface OperatorPage {
  items: { operator_id: string; email: string }[]
  pagination: { next_cursor: string | null }
}

/** Makes the demo customers, or finds them. Returns what Roster says if it refuses one. */
async function seedCustomers(origin: string, kept: Kept): Promise<string | null> {
  for (const body of CUSTOMERS) {
    const headers = { authorization: `Bearer ${kept.liveKey}` }
    const { ok, answer } = await send(`${origin}/v1/customers?if_exists=return`, { method: 'POST', headers, body })
    if (!ok) return plainText(answer.message ?? 'Roster did not answer as it should')
    if (body === CUSTOMERS[0]) kept.parentId = String(answer.id)
  }
  return null
}

/** Returns the variables that the examples of README.md and docs/ use, by name. */
export function demoVariables(origin: string, demo: Demo): Record<string, string> {
  return {
    ROSTER: origin,
    TENANT: demo.tenantId,
    ADMIN: demo.adminKey,
    KEY: demo.liveKey,
    TEST_KEY: demo.testKey,
    ID: demo.parentId,
  }
}

/** Prints what to paste into another terminal. The last lines are those of README.md, "Try it". `link` signs in to the console. */
export function printWelcome(origin: string, demo: Demo, link: string | null): void {
  const exports = Object.entries(demoVariables(origin, demo)).map(([name, value]) => `export ${name}=${value}`)
  console.log(`
Roster is served on ${origin}. Stop it with Ctrl-C. API reference: ${origin}/docs

The console${link === null ? `, which takes the admin key: ${origin}/console` : `. This link signs you in once, within an hour:\n\n  ${link}`}

The demo tenant is ${demo.company} (tier ${demo.tier}): KEY is its live key, TEST_KEY its test key, ID one of its customers.
ADMIN is the admin key. ${demo.notes.map((note) => `\n\n${note}\n\n`).join('')}Paste these lines into another terminal:

${exports.join('\n')}

${EXAMPLES}
`)
}

async function tenantOf({ origin, adminKey }: Options, tenantId: string): Promise<TenantAnswer | null> {
  const url = `${origin}/admin/customers/${tenantId}`
  const { ok, status, answer } = await send(url, { headers: { 'x-api-key': adminKey } })
  if (ok) return answer as unknown as TenantAnswer
  if (status === 404) return null
  throw notMade(url, status, answer)
}

async function newTenant({ origin, adminKey }: Options): Promise<TenantAnswer> {
  const body = { company_name: COMPANY, contact_email: 'ops@demo.example', tier: 'scale' }
  return (await made(`${origin}/admin/customers`, adminKey, body)) as unknown as TenantAnswer
}

async function newKey({ origin, adminKey }: Options, tenantId: string, mode: 'live' | 'test'): Promise<string> {
  const url = `${origin}/admin/customers/${tenantId}/keys`
  return String((await made(url, adminKey, { name: `demo ${mode}`, mode })).key)
}

/** Returns false only for a key that Roster does not know. A limit that is used up says nothing about the key. */
async function isAccepted(origin: string, key: string): Promise<boolean> {
  const { status } = await send(`${origin}/v1/customers?limit=1`, { headers: { authorization: `Bearer ${key}` } })
  return status !== 401
}

async function made(url: string, adminKey: string, body: object): Promise<Answer> {
  const { ok, status, answer } = await send(url, { method: 'POST', headers: { 'x-api-key': adminKey }, body })
  if (ok) return answer
  throw notMade(url, status, answer)
}

function notMade(url: string, status: number, { message }: Answer): Error {
  return new Error(`The demo data could not be made: ${url} returned ${status}. ${plainText(message ?? '')}`)
}

type Answer = Record<string, unknown> & { message?: string }

async function send(
  url: string,
  { method = 'GET', headers, body }: { method?: string; headers: Record<string, string>; body?: object },
): Promise<{ ok: boolean; status: number; answer: Answer }> {
  const response = await fetch(url, {
    method,
    headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  let answer: Answer = {}
  try {
    answer = JSON.parse(text)
  } catch {
    // Not an answer of Roster. The status says enough.
  }
  return { ok: response.ok, status: response.status, answer }
}

/** Returns the option that a command needs for a Roster on another port. */
function urlOf(origin: string): string {
  return new URL(origin).port === '8787' ? '' : ` --url ${origin}`
}
