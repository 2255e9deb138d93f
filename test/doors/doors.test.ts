/**
 * One table of cases, put to every door that customers go through: whatever words it speaks, the rules are the same, and what
 * one door writes, the others read. What a door has beside that is tested in test/dialects.
 */
import { describe, expect, it } from 'vitest'
import { admin } from '../support/roster.ts'
import { type Account, type Answered, accountOf, type Door, doors, openAccount, type Refused, v1 } from './drivers.ts'

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

function accepted(answer: Answered) {
  if (!answer.ok) throw new Error(`refused: ${JSON.stringify(answer)}`)
  return answer
}

/** What it was refused for; fails when it was not. */
function reasonOf(answer: { ok: true } | Refused) {
  if (answer.ok) throw new Error(`not refused: ${JSON.stringify(answer)}`)
  return answer.reason
}

async function made(door: Door, account: Account, externalId = 'user_1') {
  return accepted(await door.create(account, { externalId }))
}

describe.each(doors)('through $name', (door) => {
  it('a customer that is created reads back whole through every door', async () => {
    const account = await openAccount()
    const { id, shown } = accepted(await door.create(account, WHOLE))
    expect(shown).toEqual(WHOLE)
    for (const other of doors) {
      expect(await other.get(account, id), other.name).toMatchObject({ ok: true, id, version: 1, shown: WHOLE })
      expect(await other.getByExternalId(account, 'user_1'), other.name).toMatchObject({ ok: true, id, shown: WHOLE })
    }
  })

  it('an external id that a customer has is refused, at whichever door it was made', async () => {
    for (const other of doors) {
      const account = await openAccount()
      const { id } = await made(other, account)
      const second = await door.create(account, { externalId: 'user_1', email: 'second@example.com' })
      expect(reasonOf(second), other.name).toBe('external_id_taken')
      const renamed = await door.update(account, (await made(door, account, 'user_2')).id, { externalId: 'user_1' })
      expect(reasonOf(renamed), other.name).toBe('external_id_taken')
      expect(accepted(await door.get(account, id)).shown.email).toBeNull()
    }
  })

  it.each([UNKNOWN_ID, 'user_1', '../admin'])('nothing is found, changed or archived by the id %j', async (id) => {
    const account = await openAccount()
    await made(door, account)
    const named = encodeURIComponent(id)
    expect(reasonOf(await door.get(account, named))).toBe('not_found')
    expect(reasonOf(await door.update(account, named, { email: 'a@example.com' }))).toBe('not_found')
    expect(reasonOf(await door.archive(account, named))).toBe('not_found')
    expect(reasonOf(await door.getByExternalId(account, 'nobody'))).toBe('not_found')
  })

  it.each(['another tenant', 'the other mode'])(
    'the customer of %s is told as one that does not exist',
    async (whose) => {
      const owner = await openAccount()
      const stranger = whose === 'the other mode' ? await accountOf(owner.tenantId, 'test') : await openAccount()
      const { id } = await made(door, owner)
      await made(door, stranger, 'own')
      for (const attempt of [
        (target: string) => door.get(stranger, target),
        (target: string) => door.update(stranger, target, { email: 'a@example.com' }),
        (target: string) => door.archive(stranger, target),
      ]) {
        const refused = await attempt(id)
        expect(reasonOf(refused)).toBe('not_found')
        expect(refused).toEqual(await attempt(UNKNOWN_ID))
      }
      expect(reasonOf(await door.getByExternalId(stranger, 'user_1'))).toBe('not_found')
      expect(accepted(await door.get(owner, id)).version).toBe(1)
    },
  )

  it('an update keeps what it does not name, and raises the version', async () => {
    const account = await openAccount()
    const { id } = accepted(await door.create(account, WHOLE))
    const changed = accepted(await door.update(account, id, { addressCity: 'Oakland' }))
    expect(changed).toMatchObject({ version: 2, shown: { ...WHOLE, addressCity: 'Oakland' } })
    for (const other of doors) expect(await other.get(account, id), other.name).toEqual(changed)
  })

  it('an update that names nothing changes nothing', async () => {
    const account = await openAccount()
    const { id } = accepted(await door.create(account, WHOLE))
    expect(accepted(await door.update(account, id, {}))).toMatchObject({ version: 1, shown: WHOLE })
  })

  it.each([null, ''])('%j clears a field, and a time zone is then UTC', async (nothing) => {
    const account = await openAccount()
    const { id } = accepted(await door.create(account, WHOLE))
    const cleared = {
      email: nothing,
      contact: nothing,
      addressLine1: nothing,
      addressCountry: nothing,
      timezone: nothing,
    }
    const shown = { ...WHOLE, email: null, contact: null, addressLine1: null, addressCountry: null, timezone: 'UTC' }
    expect(accepted(await door.update(account, id, cleared)).shown).toEqual(shown)
    for (const other of doors) expect(accepted(await other.get(account, id)).shown, other.name).toEqual(shown)
  })

  it('an external id that is changed still finds the customer until another takes it', async () => {
    const account = await openAccount()
    const { id } = await made(door, account)
    accepted(await door.update(account, id, { externalId: 'renamed' }))
    expect(accepted(await door.getByExternalId(account, 'renamed')).id).toBe(id)
    const { id: other } = await made(door, account)
    expect(accepted(await door.getByExternalId(account, 'user_1')).id).toBe(other)
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
    const { id } = accepted(await door.create(account, WHOLE))
    for (const answer of [
      await door.create(account, { externalId: 'user_2', [field]: value }),
      await door.update(account, id, { [field]: value }),
    ]) {
      expect(answer).toMatchObject({ ok: false, reason: 'invalid_input', field })
    }
    expect(accepted(await door.get(account, id)).version).toBe(1)
  })

  it('a change that names a version is refused when somebody was faster, at whichever door', async () => {
    for (const other of doors) {
      const account = await openAccount()
      const { id } = await made(door, account)
      accepted(await other.update(account, id, { addressCity: 'first' }, 1))
      expect(reasonOf(await door.update(account, id, { addressCity: 'late' }, 1)), other.name).toBe('version_conflict')
      expect(accepted(await door.update(account, id, { addressCity: 'again' }, 2)).version).toBe(3)
    }
  })

  it('a customer that is archived is out of use at every door, and its external id is free', async () => {
    const account = await openAccount()
    const { id } = await made(door, account)
    expect(await door.archive(account, id)).toEqual({ ok: true })
    for (const other of doors) {
      expect(reasonOf(await other.getByExternalId(account, 'user_1')), other.name).toBe('not_found')
      expect(await other.list(account, 10), other.name).toMatchObject({ ids: [] })
      // What FlatPeak deletes is gone there; the others tell that it can be restored.
      const late = reasonOf(await other.update(account, id, { addressCity: 'late' }))
      expect(late, other.name).toBe(other.restore ? 'archived' : 'not_found')
    }
    expect((await made(door, account)).id).not.toBe(id)
  })

  it('a customer that is restored is back at every door, unless its external id was taken', async () => {
    const restorer = door.restore ? door : v1
    const account = await openAccount()
    const { id } = await made(door, account)
    await door.archive(account, id)
    expect(await restorer.restore?.(account, id)).toMatchObject({ ok: true, id, shown: { externalId: 'user_1' } })
    for (const other of doors) {
      expect(accepted(await other.getByExternalId(account, 'user_1')).id, other.name).toBe(id)
      expect(await other.list(account, 10), other.name).toMatchObject({ ids: [id] })
    }
    await door.archive(account, id)
    await made(door, account)
    expect(await restorer.restore?.(account, id)).toMatchObject({ ok: false, reason: 'external_id_taken' })
  })

  it('a list is paged newest first, showing each customer once', async () => {
    const account = await openAccount()
    const ids: string[] = []
    for (const other of [...doors, door, door]) ids.unshift((await made(other, account, `user_${ids.length}`)).id)
    const seen: string[] = []
    let page = await door.list(account, 2)
    for (;;) {
      if (!page.ok) throw new Error(`refused: ${page.reason}`)
      seen.push(...page.ids)
      expect(page.ids.length).toBeLessThanOrEqual(2)
      if (!page.more) break
      page = await door.list(account, 2, page)
    }
    expect(seen).toEqual(ids)
  })

  it('nothing is read or written for a tenant that is suspended, and all of it again when it is not', async () => {
    const account = await openAccount()
    const { id } = await made(door, account)
    await admin('PUT', `/${account.tenantId}`, { status: 'suspended' })
    for (const answer of [
      await door.get(account, id),
      await door.getByExternalId(account, 'user_1'),
      await door.create(account, { externalId: 'user_2' }),
      await door.update(account, id, { email: 'a@example.com' }),
      await door.update(account, id, { email: 'wrong' }),
      await door.archive(account, id),
      await door.list(account, 10),
    ]) {
      expect(reasonOf(answer)).toBe('tenant_suspended')
    }
    await admin('PUT', `/${account.tenantId}`, { status: 'active' })
    expect(accepted(await door.get(account, id)).version).toBe(1)
  })

  it('no more is served than the tenant’s limit, reads, writes and mistakes alike', async () => {
    const limits = { requests_per_second: 1, burst: 6, annual_commitment: 0, annual_validation_limit: 1_000_000 }
    const account = await openAccount({ tier: 'custom', limits })
    const startedAtMs = Date.now()
    const { id } = await made(door, account)
    const calls = [
      () => door.get(account, id),
      () => door.update(account, id, { email: 'a@example.com' }),
      () => door.update(account, id, { email: 'wrong' }),
      () => door.list(account, 1),
    ]
    const answers: ({ ok: true } | Refused)[] = []
    for (let sent = 0; sent < 24; sent++) answers.push(await (calls[sent % calls.length] as (typeof calls)[number])())
    const refused = answers.filter((answer) => !answer.ok && answer.reason === 'rate_limited').length
    const mostServed = limits.burst + (Date.now() - startedAtMs) / 1000
    expect(1 + answers.length - refused).toBeLessThanOrEqual(mostServed)
    expect(refused).toBeLessThan(answers.length)
  })

  it('a caller reads or writes only what its scopes allow', async () => {
    const account = await openAccount()
    const { id } = await made(door, account)
    const reader = await accountOf(account.tenantId, 'live', ['customers:read'])
    const writer = await accountOf(account.tenantId, 'live', ['customers:write'])
    expect((await door.get(reader, id)).ok).toBe(true)
    for (const answer of [
      await door.create(reader, { externalId: 'user_2' }),
      await door.update(reader, id, { email: 'a@example.com' }),
      await door.archive(reader, id),
      await door.get(writer, id),
      await door.getByExternalId(writer, 'user_1'),
      await door.list(writer, 10),
    ]) {
      expect(reasonOf(answer)).toBe('missing_scope')
    }
    expect(accepted(await door.update(writer, id, { email: 'a@example.com' })).version).toBe(2)
  })
})
