/**
 * Invented data for the pictures of the console.
 */
import type { ConsoleTest } from '../support/console.ts'

export type Invented = Awaited<ReturnType<typeof invent>>

/** Makes companies and customers that do not exist, with a history. Returns the ids that the pictures need. */
export async function invent({ api, tenant, customer, operator }: ConsoleTest, port: number) {
  const owner = await operator('owner', 'Ada Lovelace', 'ada@example.com')
  await operator('support', 'Grace Hopper', 'grace@example.com')
  await operator('admin', 'Katherine Johnson', 'katherine@example.com')
  await operator('viewer', 'Mary Jackson', 'mary@example.com')
  const main = await tenant('Nordlicht Energie AG')
  const bearer = { authorization: `Bearer ${main.liveKey}` }
  const endpoints = ['/hooks', '/broken'].map((at) => ({
    url: `http://127.0.0.1:${port}${at}`,
    description: `CRM ${at}`,
  }))
  const [hooks] = await Promise.all(endpoints.map((body) => api('POST', '/v1/webhooks/endpoints', body, bearer)))
  const steps = [
    { type: 'set_metadata', name: 'Welcome', metadata: { welcome: 'sent' } },
    { type: 'wait_for', name: 'Contract', signal: 'contract_signed', timeout_seconds: 864_000 },
  ]
  await api('PUT', '/v1/settings/customer_onboarding', { workflows: { default: { steps } } }, bearer)
  const parent = await customer(main.liveKey, {
    ...{ external_id: 'muehlenbach', name: 'Mühlenbach Gruppe', email: 'einkauf@muehlenbach.example' },
    ...{
      address_line1: 'Hafenstraße 12',
      address_postal_code: '20457',
      address_city: 'Hamburg',
      address_country: 'DE',
    },
    ...{
      contact: '+49 40 5550 1400',
      timezone: 'Europe/Berlin',
      metadata: { plan_tier: 'enterprise', account_manager: 'Grace' },
    },
    integration_entity_mapping: [
      { provider: 'stripe', id: 'cus_QkZ81mXw' },
      { provider: 'hubspot', id: '4711-0815' },
    ],
  })
  const names = [
    'Bäckerei Sonnenschein',
    'شركة الشمال للطاقة',
    'Café Zürich 🥐',
    'Kwik & Son Ltd.',
    'Zoë van der Meer',
    'A cooperative whose name goes on and on, far beyond what anybody would print on a bill, and then a little further still',
  ]
  let [kwik, zoe] = ['', '']
  for (const [at, name] of names.entries()) {
    const email = `kontakt-${at}@example.com`
    const id = await customer(main.liveKey, {
      external_id: `user_${1000 + at}`,
      name,
      email,
      parent_customer_id: at < 2 ? parent : null,
    })
    if (name.startsWith('Kwik')) kwik = id
    if (name.startsWith('Zoë')) zoe = id
  }
  const change = (body: object, reason: string) =>
    api('PATCH', `/v1/customers/${parent}`, body, { ...bearer, 'x-reason': reason })
  await change({ address_line1: 'Am Sandtorkai 30' }, 'Ticket 4711')
  await change({ contact: '+49 40 5550 1402', metadata: { plan_tier: 'scale' } }, 'Ticket 4822')
  await change({ external_id: 'muehlenbach-gruppe' }, 'Renamed in the billing system')
  await tenant('Rheinwerk Gas')
  const suspended = await tenant('Sturmflut Wasser GmbH')
  await api('PUT', `/admin/customers/${suspended.tenantId}`, { status: 'suspended' }, undefined)
  const empty = await tenant('Polarstern Windkraft')
  const long = await customer(main.liveKey, {
    external_id: 'contract-'.repeat(30).slice(0, 255),
    name: 'The united cooperative of everybody who reads to the end of a name '.repeat(4).slice(0, 255),
    email: `${'a-very-long-mailbox'.repeat(3)}@${'department.'.repeat(12)}example.com`,
    metadata: Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`a_key_with_a_name_${at}`, `value ${at}`])),
  })
  const twin = await customer(main.liveKey, {
    external_id: 'kwik-and-son',
    name: 'Kwik and Son Limited',
    email: 'kontakt-3@example.com',
    contact: '+44 20 7946 0958',
  })
  const merged = await customer(main.liveKey, {
    external_id: 'zoe-old',
    name: 'Zoë v. d. Meer',
    contact: '+31 20 555 0199',
  })
  await api('POST', `/v1/customers/${merged}/merge`, { into: zoe }, { ...bearer, 'x-reason': 'Ticket 4901' })
  return {
    ownerKey: owner.key,
    tenantId: main.tenantId,
    emptyTenantId: empty.tenantId,
    endpointId: hooks?.body.id as string,
    parent,
    long,
    twin,
    twinOf: kwik,
    merged,
  }
}
