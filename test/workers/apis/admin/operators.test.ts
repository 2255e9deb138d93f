/**
 * Operators, their keys and their sign-in links. Alone, because the last owner is the last one of the whole database.
 */
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { services } from '../../../../src/composition/services.ts'
import {
  asOwner,
  callWith,
  cookieOf,
  fromConsole,
  newOperator,
  newOperatorKey,
  newToken,
  signIn,
} from '../../support/operators.ts'
import { ADMIN_KEY, call } from '../../support/roster.ts'
import { error, problem } from './operator.ts'

const ME = '/admin/me'
const statusOf = async (called: Promise<{ status: number }>) => (await called).status
const auditOf = async (operatorId: string) => {
  const { body } = await asOwner('GET', '/admin/audit?limit=100')
  return body.items.filter((entry: { operator_id: string | null }) => entry.operator_id === operatorId)
}
const anEmail = () => `${crypto.randomUUID()}@example.com`
const remove = (id: string) => asOwner('DELETE', `/admin/operators/${id}`)

describe('an operator', () => {
  it('is shown as it was created, changed and deleted, and the audit names who did it', async () => {
    const email = anEmail()
    const made = await asOwner('POST', '/admin/operators', { body: { name: 'Ada', email, role: 'viewer' } })
    expect([made.status, made.body]).toEqual([
      201,
      {
        operator_id: expect.stringMatching(/^op_/),
        name: 'Ada',
        email,
        role: 'viewer',
        last_seen_at: null,
        created_at: expect.any(String),
        updated_at: made.body.created_at,
      },
    ])
    const path = `/admin/operators/${made.body.operator_id}`
    const headers = { 'x-reason': 'on call' }
    const changed = await asOwner('PATCH', path, { body: { role: 'support' }, headers })
    expect([changed.status, changed.headers.get('etag'), changed.body.role]).toEqual([200, '"2"', 'support'])
    expect((await asOwner('GET', path)).body).toEqual(changed.body)
    expect((await asOwner('GET', '/admin/operators')).body.items).toContainEqual(changed.body)
    expect((await asOwner('PATCH', path, { body: { role: 'support' } })).headers.get('etag')).toBe('"2"')
    expect(await statusOf(asOwner('DELETE', path))).toBe(204)
    expect(await statusOf(asOwner('DELETE', path))).toBe(404)
    expect(await statusOf(asOwner('GET', path))).toBe(404)

    const by = { actor: 'admin', role: 'owner', session_id: null, tenant_id: null, mode: null, key_id: null }
    const shown = { name: 'Ada', email, created_at: made.body.created_at }
    expect(await auditOf(made.body.operator_id)).toMatchObject([
      { type: 'operator.deleted', ...by, before: { ...shown, role: 'support' }, after: null },
      {
        ...{ type: 'operator.updated', ...by, reason: 'on call' },
        ...{ before: { ...shown, role: 'viewer' }, after: { ...shown, role: 'support' } },
      },
      { type: 'operator.created', ...by, before: null, after: { ...shown, role: 'viewer' } },
    ])
  })

  it.each([
    [{ name: 'Ada', email: 'ada@example.com' }, 'role'],
    [{ name: 'Ada', email: 'ada@example.com', role: 'root' }, 'role'],
    [{ name: '', email: 'ada@example.com', role: 'viewer' }, 'name'],
    [{ name: 'Ada', email: '', role: 'viewer' }, 'email'],
    [{ name: 'Ada', email: 'ada', role: 'viewer' }, 'email'],
    [{ name: 'Ada', email: null, role: 'viewer' }, 'email'],
  ])('is refused as %o, naming %s', async (body, field) => {
    const refused = await asOwner('POST', '/admin/operators', { body })
    expect([refused.status, refused.body]).toEqual([400, error(400, 'validation_error', problem(field))])
  })

  it('has an address that no other has in any case of ASCII letters, and letters that look alike are others', async () => {
    const email = anEmail()
    const fields = { name: 'Kay', role: 'viewer' }
    expect(await statusOf(asOwner('POST', '/admin/operators', { body: { ...fields, email } }))).toBe(201)
    const again = await asOwner('POST', '/admin/operators', { body: { ...fields, email: email.toUpperCase() } })
    expect([again.status, again.body.code, again.body.details.errors[0].field]).toEqual([
      409,
      'already_exists',
      'email',
    ])
    const other = await newOperator('viewer')
    const taken = await asOwner('PATCH', `/admin/operators/${other.operatorId}`, { body: { email } })
    expect([taken.status, taken.body.code]).toEqual([409, 'already_exists'])
    // The Kelvin sign folds to k in Unicode.
    const kelvin = `k${email}`.replace('k', '\u212a')
    expect(await statusOf(asOwner('POST', '/admin/operators', { body: { ...fields, email: `k${email}` } }))).toBe(201)
    expect(await statusOf(asOwner('POST', '/admin/operators', { body: { ...fields, email: kelvin } }))).toBe(201)
  })

  it('is created once by repeats with an idempotency key, of the same operator only', async () => {
    const body = { name: 'Once', email: anEmail(), role: 'viewer' }
    const owner = await newOperator('owner')
    const headers = { 'idempotency-key': crypto.randomUUID() }
    const send = (key: string) => callWith(key, 'POST', '/admin/operators', { body, headers })
    const first = await send(owner.key)
    const again = await send(owner.key)
    expect([first.status, again.status, again.headers.get('idempotent-replayed')]).toEqual([201, 201, 'true'])
    expect(again.body).toEqual(first.body)
    expect((await send(ADMIN_KEY)).status).toBe(422)
  })

  it('is one of at most 1,000', async () => {
    const { results } = await env.DB.prepare('SELECT count(*) AS count FROM operators').all<{ count: number }>()
    const missing = 1_000 - (results[0]?.count ?? 0)
    await env.DB.prepare(
      `INSERT INTO operators (id, name, email, role, created_at, updated_at, version)
       WITH RECURSIVE n(at) AS (SELECT 1 UNION ALL SELECT at + 1 FROM n WHERE at < ?)
       SELECT 'filler_' || at, 'n', 'filler_' || at || '@example.com', 'viewer', 0, 0, 1 FROM n`,
    )
      .bind(missing)
      .run()
    const refused = await asOwner('POST', '/admin/operators', { body: { name: 'x', email: anEmail(), role: 'viewer' } })
    expect([refused.status, refused.body]).toEqual([400, error(400, 'validation_error', problem('email'))])
    await env.DB.prepare("DELETE FROM operators WHERE id LIKE 'filler%'").run()
  })
})

describe('the last owner', () => {
  it('is neither demoted nor removed', async () => {
    const before = await ownersOf()
    const { operatorId } = await newOperator('owner')
    for (const id of before) expect(await statusOf(remove(id))).toBe(204)
    const path = `/admin/operators/${operatorId}`
    const [demoted, removed] = [await asOwner('PATCH', path, { body: { role: 'admin' } }), await remove(operatorId)]
    for (const { status, body } of [demoted, removed]) {
      expect([status, body.code, body.details.reason]).toEqual([409, 'invalid_operation', 'last_owner'])
    }
    expect((await asOwner('PATCH', path, { body: { name: 'Still', role: 'owner' } })).status).toBe(200)
    expect((await asOwner('GET', path)).body).toMatchObject({ name: 'Still', role: 'owner' })
  })

  it.each(['demoted', 'removed'] as const)('stays when two owners are %s at once', async (how) => {
    for (let round = 0; round < 5; round++) {
      const before = await ownersOf()
      const added = await newOperator('owner')
      const all = [...before, added.operatorId]
      const change = (id: string) =>
        how === 'demoted' ? asOwner('PATCH', `/admin/operators/${id}`, { body: { role: 'admin' } }) : remove(id)
      const answers = await Promise.all(all.map(change))
      expect(answers.map(({ status }) => (status < 300 ? 'done' : status)).toSorted()).toEqual([
        409,
        ...all.slice(1).map(() => 'done'),
      ])
      expect(await ownersOf()).toHaveLength(1)
    }
  })

  async function ownersOf(): Promise<string[]> {
    const { results } = await env.DB.prepare("SELECT id FROM operators WHERE role = 'owner'").all<{ id: string }>()
    return results.map(({ id }) => id)
  }
})

describe('a key of an operator', () => {
  it('is shown once, listed without its secret, used, and gone when it is revoked', async () => {
    const { operatorId } = await newOperator('support')
    const keys = `/admin/operators/${operatorId}/keys`
    const made = await asOwner('POST', keys, { body: { name: 'laptop' } })
    expect([made.status, made.body]).toEqual([
      201,
      {
        key_id: expect.stringMatching(/^opk_/),
        key: expect.stringMatching(/^ok_[0-9A-Za-z]{69}$/),
        name: 'laptop',
        expires_at: null,
        created_at: expect.any(String),
        last_used_at: null,
      },
    ])
    const { key, ...shown } = made.body
    const first = (await asOwner('GET', keys)).body.items
    expect(first).toContainEqual(shown)
    expect(JSON.stringify(first)).not.toContain(key)
    expect((await callWith(key, 'GET', ME)).body).toMatchObject({ operator_id: operatorId, via: 'operator_key' })
    expect(await statusOf(asOwner('DELETE', `${keys}/${made.body.key_id}`))).toBe(204)
    expect(await statusOf(callWith(key, 'GET', ME))).toBe(401)
    expect(await statusOf(asOwner('DELETE', `${keys}/${made.body.key_id}`))).toBe(404)
    expect((await asOwner('GET', keys)).body.items).not.toContainEqual(expect.objectContaining({ name: 'laptop' }))
    const types = (await auditOf(operatorId)).map(({ type, key_id: id }: Record<string, string>) => [type, id])
    expect(types.slice(0, 2)).toEqual([
      ['operator.key.revoked', made.body.key_id],
      ['operator.key.created', made.body.key_id],
    ])
  })

  it('is refused from its end on, and an end in the past is refused', async () => {
    const { operatorId } = await newOperator('viewer')
    const past = await asOwner('POST', `/admin/operators/${operatorId}/keys`, {
      body: { expires_at: '2020-01-01T00:00:00Z' },
    })
    expect([past.status, past.body]).toEqual([400, error(400, 'validation_error', problem('expires_at'))])
    const { key, keyId } = await newOperatorKey(operatorId, {
      expires_at: new Date(Date.now() + 3_600_000).toISOString(),
    })
    expect(await statusOf(callWith(key, 'GET', ME))).toBe(200)
    await env.DB.prepare('UPDATE operator_keys SET expires_at = 1 WHERE id = ?').bind(keyId).run()
    expect(await statusOf(callWith(key, 'GET', ME))).toBe(401)
  })

  it('belongs to its operator alone', async () => {
    const [one, other] = [await newOperator('viewer'), await newOperator('viewer')]
    expect(await statusOf(asOwner('DELETE', `/admin/operators/${other.operatorId}/keys/${one.keyId}`))).toBe(404)
    expect(await statusOf(callWith(one.key, 'GET', ME))).toBe(200)
    const nobody = '/admin/operators/op_01JD3VQ4X8N2M7R5T9W6YBZKCE'
    for (const [method, path] of [
      ['GET', '/keys'],
      ['POST', '/keys'],
      ['POST', '/sign_in_links'],
      ['DELETE', `/keys/${one.keyId}`],
    ] as const) {
      expect([method, path, await statusOf(asOwner(method, nobody + path))]).toEqual([method, path, 404])
    }
  })

  it('is one of at most 50', async () => {
    const { operatorId } = await newOperator('viewer')
    for (let at = 1; at < 50; at++) await newOperatorKey(operatorId)
    const refused = await asOwner('POST', `/admin/operators/${operatorId}/keys`, { body: {} })
    expect([refused.status, refused.body]).toEqual([400, error(400, 'validation_error', problem('name'))])
  })

  it('works for no letter that is another, and for none of another deployment', async () => {
    const { key } = await newOperator('owner')
    const last = key.at(-1) === 'A' ? 'B' : 'A'
    const wrong = [key.slice(0, -1) + last, key.slice(0, -1), `${key}0`, key.toLowerCase(), key.replace('ok_', 'os_')]
    for (const text of wrong) {
      expect([text, await statusOf(callWith(text, 'GET', ME))]).toEqual([text, 401])
    }
    const bearer = { authorization: `Bearer ${key}` }
    expect(await statusOf(call('GET', '/v1/customers', { headers: bearer }))).toBe(401)
    expect(await statusOf(call('GET', '/v1/customers', { headers: { 'x-api-key': key } }))).toBe(401)
  })
})

describe('the time of the last request', () => {
  it('is noted to the minute, once a minute, for the operator and the key', async () => {
    const { operatorId, key, keyId } = await newOperator('viewer')
    expect(await statusOf(callWith(key, 'GET', ME))).toBe(200)
    const shown = async () => (await asOwner('GET', `/admin/operators/${operatorId}`)).body.last_seen_at
    await expect.poll(shown).toMatch(/:00\.000Z$/)
    const [ofKey] = (await asOwner('GET', `/admin/operators/${operatorId}/keys`)).body.items
    expect(ofKey).toMatchObject({ key_id: keyId, last_used_at: await shown() })
  })
})

describe('a sign-in link', () => {
  it('signs its operator in once', async () => {
    const { operatorId } = await newOperator('support')
    const made = await asOwner('POST', `/admin/operators/${operatorId}/sign_in_links`)
    expect([made.status, made.body.url]).toEqual([
      201,
      expect.stringMatching(/^https:\/\/roster\.test\/console\/sign-in#token=ol_\w+$/),
    ])
    const token = new URL(made.body.url).hash.replace('#token=', '')
    const signedIn = await call('POST', '/admin/session', { body: { token } })
    expect([signedIn.status, signedIn.body]).toMatchObject([
      201,
      { operator_id: operatorId, role: 'support', via: 'session' },
    ])
    expect((await fromConsole(cookieOf(signedIn), 'GET', ME)).body).toEqual(signedIn.body)
    expect(await statusOf(call('POST', '/admin/session', { body: { token } }))).toBe(401)
    expect((await auditOf(operatorId)).slice(0, 2)).toMatchObject([
      { type: 'operator.session.started', actor: operatorId, role: 'support', after: { id: signedIn.body.session_id } },
      { type: 'operator.sign_in_link.created', actor: 'admin' },
    ])
  })

  it('signs in one of ten browsers that use it at once', async () => {
    const token = await newToken((await newOperator('viewer')).operatorId)
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => call('POST', '/admin/session', { body: { token } })),
    )
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, ...Array(9).fill(401)])
  })

  it('ends after an hour, and with its operator', async () => {
    const { operatorId } = await newOperator('viewer')
    const [late, left] = [await newToken(operatorId), await newToken(operatorId)]
    await env.DB.prepare('UPDATE sign_in_links SET expires_at = 1 WHERE id = ?').bind(idOf(late)).run()
    expect(await statusOf(call('POST', '/admin/session', { body: { token: late } }))).toBe(401)
    await remove(operatorId)
    expect(await statusOf(call('POST', '/admin/session', { body: { token: left } }))).toBe(401)
  })

  it('is one of at most 20 that are open, and makes room when it has expired', async () => {
    const { operatorId } = await newOperator('viewer')
    for (let at = 0; at < 20; at++) await newToken(operatorId)
    const refused = await asOwner('POST', `/admin/operators/${operatorId}/sign_in_links`)
    expect([refused.status, refused.body]).toEqual([400, error(400, 'validation_error', problem('operator_id'))])
    await env.DB.prepare('UPDATE sign_in_links SET expires_at = 1 WHERE operator_id = ?').bind(operatorId).run()
    expect(await newToken(operatorId)).toMatch(/^ol_/)
  })

  const idOf = (token: string) => `sil_${token.slice(3, 29)}`
})

describe('a change of an operator', () => {
  it('is in force on return, for its keys and its sessions', async () => {
    const { operatorId, key } = await newOperator('owner')
    const other = await newOperator('owner')
    const cookie = await signIn(key)
    const path = `/admin/operators/${operatorId}`
    const statuses = async () => [
      await statusOf(callWith(key, 'GET', '/admin/operators')),
      await statusOf(fromConsole(cookie, 'GET', '/admin/operators')),
    ]
    expect(await statuses()).toEqual([200, 200])
    await asOwner('PATCH', path, { body: { role: 'admin' } })
    expect(await statuses()).toEqual([403, 403])
    const refused = await fromConsole(cookie, 'GET', '/admin/operators')
    expect(refused.body.details).toEqual({ reason: 'missing_role', role: 'admin', needed: 'owner' })
    await asOwner('PATCH', path, { body: { role: 'owner' } })
    expect(await statuses()).toEqual([200, 200])
    await remove(operatorId)
    expect(await statuses()).toEqual([401, 401])
    await remove(other.operatorId)
  })

  it('ends the sessions of a key that is revoked, and leaves those of other keys', async () => {
    const { operatorId, key, keyId } = await newOperator('viewer')
    const [cookie, ofOther] = [await signIn(key), await signIn((await newOperatorKey(operatorId)).key)]
    await asOwner('DELETE', `/admin/operators/${operatorId}/keys/${keyId}`)
    expect(await statusOf(fromConsole(cookie, 'GET', ME))).toBe(401)
    expect(await statusOf(fromConsole(ofOther, 'GET', ME))).toBe(200)
  })
})

describe('the sweep', () => {
  it('deletes sessions and links that have ended, and none that may still be used', async () => {
    const { operatorId, key } = await newOperator('viewer')
    const cookie = await signIn(key)
    const token = await newToken(operatorId)
    await env.DB.prepare(
      `INSERT INTO operator_sessions (id, operator_id, secret_hash, created_at, expires_at)
       WITH RECURSIVE n(at) AS (SELECT 1 UNION ALL SELECT at + 1 FROM n WHERE at < 600)
       SELECT 'ses_00000000000000000000000' || (100 + at), ?, 'x', 0, 1 FROM n`,
    )
      .bind(operatorId)
      .run()
    await env.DB.prepare("INSERT INTO sign_in_links VALUES ('sil_00000000000000000000000000', ?, 'x', 0, 1)")
      .bind(operatorId)
      .run()
    await services.sweep(env)
    const left = await env.DB.prepare('SELECT count(*) AS count FROM operator_sessions WHERE expires_at <= 1').first()
    const links = await env.DB.prepare('SELECT count(*) AS count FROM sign_in_links WHERE expires_at <= 1').first()
    expect([left, links]).toEqual([{ count: 0 }, { count: 0 }])
    expect(await statusOf(fromConsole(cookie, 'GET', ME))).toBe(200)
    expect(await statusOf(call('POST', '/admin/session', { body: { token } }))).toBe(201)
  })
})

describe('a database that was set back or restored', () => {
  it('has no session and no link of before', async () => {
    const { operatorId, key } = await newOperator('viewer')
    const cookie = await signIn(key)
    const token = await newToken(operatorId)
    await env.DB.prepare('UPDATE deployment SET data_epoch = data_epoch + 1').run()
    expect(await statusOf(fromConsole(cookie, 'GET', ME))).toBe(401)
    expect(await statusOf(call('POST', '/admin/session', { body: { token } }))).toBe(401)
    expect(await statusOf(callWith(key, 'GET', ME))).toBe(200)
  })
})
