/**
 * One table of cases for every API that serves customers: the rules are the same whatever its wire format, and each API
 * reads what another writes. The rest of each API is tested in its own folder.
 */
import { describe, expect, it } from 'vitest'
import { admin, call } from '../support/roster.ts'
import { type Account, type Api, type ApiRefusal, type ApiResult, accountOf, apis, openAccount, v1 } from './drivers.ts'

const UNKNOWN_ID = 'cust_01ARZ3NDEKTSV4RRFFQ69G5FAV'

const WHOLE = {
  externalId: 'user_1',
  email: 'billing@acme.com',
  contact: '+1 555 0100',
  addressLine1: '123 Main Street',
  addressCity: 'San Francisco',
  addressCountry: 'US',
  timezone: 'America/Los_Angeles',
}

function accepted(answer: ApiResult) {
  if (!answer.ok) throw new Error(`refused: ${JSON.stringify(answer)}`)
  return answer
}

/** Returns the reason of a refusal; fails if the answer is none. */
function reasonOf(answer: { ok: true } | ApiRefusal) {
  if (answer.ok) throw new Error(`not refused: ${JSON.stringify(answer)}`)
  return answer.reason
}

async function made(api: Api, account: Account, externalId = 'user_1') {
  return accepted(await api.create(account, { externalId }))
}

describe.each(apis)('through $name', (api) => {
  it('reads a created customer back whole through every API', async () => {
    const account = await openAccount()
    const { id, shown } = accepted(await api.create(account, WHOLE))
    expect(shown).toEqual(WHOLE)
    for (const other of apis) {
      expect(await other.get(account, id), other.name).toMatchObject({ ok: true, id, version: 1, shown: WHOLE })
      expect(await other.getByExternalId(account, 'user_1'), other.name).toMatchObject({ ok: true, id, shown: WHOLE })
    }
  })

  it('refuses an external id that a customer has, whichever API created it', async () => {
    for (const other of apis) {
      const account = await openAccount()
      const { id } = await made(other, account)
      const second = await api.create(account, { externalId: 'user_1', email: 'second@example.com' })
      expect(reasonOf(second), other.name).toBe('external_id_taken')
      const renamed = await api.update(account, (await made(api, account, 'user_2')).id, { externalId: 'user_1' })
      expect(reasonOf(renamed), other.name).toBe('external_id_taken')
      expect(accepted(await api.get(account, id)).shown.email).toBeNull()
    }
  })

  it.each([UNKNOWN_ID, 'user_1', '../admin'])('finds, changes and archives nothing by the id %j', async (id) => {
    const account = await openAccount()
    await made(api, account)
    const named = encodeURIComponent(id)
    expect(reasonOf(await api.get(account, named))).toBe('not_found')
    expect(reasonOf(await api.update(account, named, { email: 'a@example.com' }))).toBe('not_found')
    expect(reasonOf(await api.archive(account, named))).toBe('not_found')
    expect(reasonOf(await api.getByExternalId(account, 'nobody'))).toBe('not_found')
  })

  it.each(['another tenant', 'the other mode'])(
    'answers for the customer of %s as for one that does not exist',
    async (whose) => {
      const owner = await openAccount()
      const stranger = whose === 'the other mode' ? await accountOf(owner.tenantId, 'test') : await openAccount()
      const { id } = await made(api, owner)
      await made(api, stranger, 'own')
      for (const attempt of [
        (target: string) => api.get(stranger, target),
        (target: string) => api.update(stranger, target, { email: 'a@example.com' }),
        (target: string) => api.archive(stranger, target),
      ]) {
        const refused = await attempt(id)
        expect(reasonOf(refused)).toBe('not_found')
        expect(refused).toEqual(await attempt(UNKNOWN_ID))
      }
      expect(reasonOf(await api.getByExternalId(stranger, 'user_1'))).toBe('not_found')
      expect(accepted(await api.get(owner, id)).version).toBe(1)
    },
  )

  it('keeps the fields that an update does not name, and raises the version', async () => {
    const account = await openAccount()
    const { id } = accepted(await api.create(account, WHOLE))
    const changed = accepted(await api.update(account, id, { addressCity: 'Oakland' }))
    expect(changed).toMatchObject({ version: 2, shown: { ...WHOLE, addressCity: 'Oakland' } })
    for (const other of apis) expect(await other.get(account, id), other.name).toEqual(changed)
  })

  it('changes nothing when an update names nothing', async () => {
    const account = await openAccount()
    const { id } = accepted(await api.create(account, WHOLE))
    expect(accepted(await api.update(account, id, {}))).toMatchObject({ version: 1, shown: WHOLE })
  })

  it.each([null, ''])('clears a field with %j, and a time zone is then UTC', async (nothing) => {
    const account = await openAccount()
    const { id } = accepted(await api.create(account, WHOLE))
    const cleared = {
      email: nothing,
      contact: nothing,
      addressLine1: nothing,
      addressCountry: nothing,
      timezone: nothing,
    }
    const shown = { ...WHOLE, email: null, contact: null, addressLine1: null, addressCountry: null, timezone: 'UTC' }
    expect(accepted(await api.update(account, id, cleared)).shown).toEqual(shown)
    for (const other of apis) expect(accepted(await other.get(account, id)).shown, other.name).toEqual(shown)
  })

  it('still finds the customer by its former external id until another takes it', async () => {
    const account = await openAccount()
    const { id } = await made(api, account)
    accepted(await api.update(account, id, { externalId: 'renamed' }))
    expect(accepted(await api.getByExternalId(account, 'renamed')).id).toBe(id)
    const { id: other } = await made(api, account)
    expect(accepted(await api.getByExternalId(account, 'user_1')).id).toBe(other)
  })

  it.each([
    { field: 'email', is: 'no address', value: 'not an address' },
    { field: 'contact', is: 'too long', value: '0'.repeat(21) },
    { field: 'addressCountry', is: 'no country', value: 'XX' },
    { field: 'timezone', is: 'no time zone', value: 'Mars/Olympus' },
    { field: 'externalId', is: 'empty', value: '' },
    { field: 'externalId', is: 'too long', value: 'x'.repeat(256) },
    { field: 'addressCity', is: 'not storable', value: 'a\u0000b' },
    { field: 'addressCity', is: 'not text', value: 7 },
  ])('$field that is $is is refused by its name', async ({ field, value }) => {
    const account = await openAccount()
    const { id } = accepted(await api.create(account, WHOLE))
    for (const answer of [
      await api.create(account, { externalId: 'user_2', [field]: value }),
      await api.update(account, id, { [field]: value }),
    ]) {
      expect(answer).toMatchObject({ ok: false, reason: 'invalid_input', field })
    }
    expect(accepted(await api.get(account, id)).version).toBe(1)
  })

  it('refuses what would make a customer larger than 64 KB, and says what to shorten', async () => {
    const account = await openAccount()
    const { id } = await made(api, account)
    // Nearly full by what only the v1 API can set.
    const metadata = Object.fromEntries(Array.from({ length: 43 }, (_, at) => [`k${10 + at}`, '語'.repeat(500)]))
    const filled = await call('PUT', `/v1/customers/${id}`, { key: account.key, body: { metadata } })
    expect(filled.status).toBe(200)
    const long = { addressLine1: '語'.repeat(255), addressCity: '語'.repeat(100) }
    const refused = await api.update(account, id, long)
    expect(reasonOf(refused)).toBe('customer_too_large')
    expect(JSON.stringify(refused)).toMatch(/65536 bytes.*metadata/s)
    expect(accepted(await api.get(account, id))).toMatchObject({ version: 2, shown: { addressCity: null } })
  })

  it('refuses a change of an outdated version, whichever API wrote the newer one', async () => {
    for (const other of apis) {
      const account = await openAccount()
      const { id } = await made(api, account)
      accepted(await other.update(account, id, { addressCity: 'first' }, 1))
      expect(reasonOf(await api.update(account, id, { addressCity: 'late' }, 1)), other.name).toBe('version_conflict')
      expect(accepted(await api.update(account, id, { addressCity: 'again' }, 2)).version).toBe(3)
    }
  })

  it('puts an archived customer out of use at every API, and frees its external id', async () => {
    const account = await openAccount()
    const { id } = await made(api, account)
    expect(await api.archive(account, id)).toEqual({ ok: true })
    for (const other of apis) {
      expect(reasonOf(await other.getByExternalId(account, 'user_1')), other.name).toBe('not_found')
      expect(await other.list(account, 10), other.name).toMatchObject({ ids: [] })
      // FlatPeak answers 404 for a deleted customer; the others say that it can be restored.
      const late = reasonOf(await other.update(account, id, { addressCity: 'late' }))
      expect(late, other.name).toBe(other.restore ? 'archived' : 'not_found')
    }
    expect((await made(api, account)).id).not.toBe(id)
  })

  it('brings a restored customer back at every API, unless its external id was taken', async () => {
    const restorer = api.restore ? api : v1
    const account = await openAccount()
    const { id } = await made(api, account)
    await api.archive(account, id)
    expect(await restorer.restore?.(account, id)).toMatchObject({ ok: true, id, shown: { externalId: 'user_1' } })
    for (const other of apis) {
      expect(accepted(await other.getByExternalId(account, 'user_1')).id, other.name).toBe(id)
      expect(await other.list(account, 10), other.name).toMatchObject({ ids: [id] })
    }
    await api.archive(account, id)
    await made(api, account)
    expect(await restorer.restore?.(account, id)).toMatchObject({ ok: false, reason: 'external_id_taken' })
  })

  it('pages a list newest first, showing each customer once', async () => {
    const account = await openAccount()
    const ids: string[] = []
    for (const other of [...apis, api, api]) ids.unshift((await made(other, account, `user_${ids.length}`)).id)
    const seen: string[] = []
    let page = await api.list(account, 2)
    for (;;) {
      if (!page.ok) throw new Error(`refused: ${page.reason}`)
      seen.push(...page.ids)
      expect(page.ids.length).toBeLessThanOrEqual(2)
      if (!page.more) break
      page = await api.list(account, 2, page)
    }
    expect(seen).toEqual(ids)
  })

  it('reads and writes nothing for a suspended tenant, and everything again afterwards', async () => {
    const account = await openAccount()
    const { id } = await made(api, account)
    await admin('PUT', `/${account.tenantId}`, { status: 'suspended' })
    for (const answer of [
      await api.get(account, id),
      await api.getByExternalId(account, 'user_1'),
      await api.create(account, { externalId: 'user_2' }),
      await api.update(account, id, { email: 'a@example.com' }),
      await api.update(account, id, { email: 'wrong' }),
      await api.archive(account, id),
      await api.list(account, 10),
    ]) {
      expect(reasonOf(answer)).toBe('tenant_suspended')
    }
    await admin('PUT', `/${account.tenantId}`, { status: 'active' })
    expect(accepted(await api.get(account, id)).version).toBe(1)
  })

  it('serves no more than the tenant’s limit, reads, writes and mistakes alike', async () => {
    const limits = { requests_per_second: 1, burst: 6, annual_commitment: 0, annual_validation_limit: 1_000_000 }
    const account = await openAccount({ tier: 'custom', limits })
    const startedAtMs = Date.now()
    const { id } = await made(api, account)
    const calls = [
      () => api.get(account, id),
      () => api.update(account, id, { email: 'a@example.com' }),
      () => api.update(account, id, { email: 'wrong' }),
      () => api.list(account, 1),
    ]
    const answers: ({ ok: true } | ApiRefusal)[] = []
    for (let sent = 0; sent < 24; sent++) answers.push(await (calls[sent % calls.length] as (typeof calls)[number])())
    const refused = answers.filter((answer) => !answer.ok && answer.reason === 'rate_limited').length
    const mostServed = limits.burst + (Date.now() - startedAtMs) / 1000
    expect(1 + answers.length - refused).toBeLessThanOrEqual(mostServed)
    expect(refused).toBeLessThan(answers.length)
  })

  it('lets a caller read or write only what its scopes allow', async () => {
    const account = await openAccount()
    const { id } = await made(api, account)
    const reader = await accountOf(account.tenantId, 'live', ['customers:read'])
    const writer = await accountOf(account.tenantId, 'live', ['customers:write'])
    expect((await api.get(reader, id)).ok).toBe(true)
    for (const answer of [
      await api.create(reader, { externalId: 'user_2' }),
      await api.update(reader, id, { email: 'a@example.com' }),
      await api.archive(reader, id),
      await api.get(writer, id),
      await api.getByExternalId(writer, 'user_1'),
      await api.list(writer, 10),
    ]) {
      expect(reasonOf(answer)).toBe('missing_scope')
    }
    expect(accepted(await api.update(writer, id, { email: 'a@example.com' })).version).toBe(2)
  })
})
