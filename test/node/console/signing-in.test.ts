/**
 * The way in and out of the console, and what other sites cannot do with the session of an operator.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { axeFindings, bearer, elsewhere, SESSION_COOKIE, signIn, visit } from '../support/console.ts'
import { describeInBrowser, useConsole } from '../support/journeys.ts'
import { SERVED_ADMIN_KEY } from '../support/served.ts'

const SCRIPT_BYTES_MAX = 300 * 1024

describeInBrowser('signing in to the console', () => {
  const roster = useConsole()

  /** Returns the status of a request with the session's cookie, as the console sends it. */
  async function statusWith(cookie: string, path = '/admin/me'): Promise<number> {
    const headers = { cookie: `${SESSION_COOKIE}=${cookie}`, 'roster-console': '1' }
    return (await roster.api('GET', path, null, headers)).status
  }

  async function sessionOf(page: Page) {
    return (await page.context().cookies()).find(({ name }) => name === SESSION_COOKIE)
  }

  it('signs in with an operator’s key into a session that no script can read, and ends it', async () => {
    const { key } = await roster.operator('support', 'Ada Lovelace')
    const { page, complaints, requested } = await roster.open('/console/')
    await page.getByLabel('Key', { exact: true }).waitFor()
    expect(await axeFindings(page)).toEqual([])
    await signIn(page, key)
    await page.getByRole('button', { name: /Account: Ada Lovelace/ }).waitFor()
    const session = await sessionOf(page)
    expect(session).toMatchObject({ httpOnly: true, secure: true, sameSite: 'Strict', path: '/' })
    expect(
      await page.evaluate(() => document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage })),
    ).not.toContain(session?.value)
    expect(await statusWith(session?.value ?? '')).toBe(200)
    await page.getByRole('button', { name: /Account: Ada Lovelace/ }).click()
    await page.getByRole('menuitem', { name: 'Sign out' }).click()
    await page.getByLabel('Key', { exact: true }).waitFor()
    expect(await page.getByText('Your session has ended').count()).toBe(0)
    expect(await statusWith(session?.value ?? '')).toBe(401)
    expect(complaints).toEqual([])
    expect(elsewhere(requested, roster.origin)).toEqual([])
  })

  it('refuses a wrong key with the API’s own words, and stays', async () => {
    const { page } = await roster.open('/console/')
    await page.getByLabel('Key', { exact: true }).fill('ok_wrong')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('alert').waitFor()
    expect(await sessionOf(page)).toBeUndefined()
  })

  it('signs in by a link once, and leaves no token in the address', async () => {
    const { operatorId } = await roster.operator('viewer', 'Linked')
    const { body } = await roster.api('POST', `/admin/operators/${operatorId}/sign_in_links`)
    const { pathname, hash } = new URL(body.url)
    const { page } = await roster.open(pathname + hash)
    await page.getByRole('button', { name: 'Sign in' }).waitFor()
    expect(page.url()).not.toContain('token')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('button', { name: /Account: Linked/ }).waitFor()
    expect(await statusWith((await sessionOf(page))?.value ?? '')).toBe(200)
    const again = await roster.open(pathname + hash)
    await again.page.getByRole('button', { name: 'Sign in' }).click()
    await again.page.getByRole('alert').waitFor()
    expect(await sessionOf(again.page)).toBeUndefined()
  })

  it('asks to sign in again when the session has ended, with the place and the edit still there', async () => {
    const { key } = await roster.operator('support')
    const { tenantId, liveKey } = await roster.tenant()
    const id = await roster.customer(liveKey, { name: 'Kept' })
    const { page } = await roster.openAs(key, `/console/tenants/${tenantId}/live/customers/${id}/edit`)
    await page.getByLabel('City').fill('Bonn')
    await page.getByLabel('Reason').fill('Ticket 9')
    const session = await sessionOf(page)
    const headers = { cookie: `${SESSION_COOKIE}=${session?.value}`, 'roster-console': '1' }
    expect((await roster.api('DELETE', '/admin/session', null, headers)).status).toBe(204)
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Your session has ended').waitFor()
    await signIn(page, key)
    expect(await page.getByLabel('City').inputValue()).toBe('Bonn')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('heading', { name: 'Kept', level: 1, exact: true }).waitFor()
    const { body } = await roster.api('GET', `/v1/customers/${id}`, null, bearer(liveKey))
    expect(body.address_city).toBe('Bonn')
  })

  it('shows the next one in the tab nothing of the one before', async () => {
    const [first, second] = [await roster.operator('support'), await roster.operator('support')]
    const { tenantId, liveKey } = await roster.tenant()
    const id = await roster.customer(liveKey, { name: 'Seen by the first' })
    const { page } = await roster.openAs(first.key, `/console/tenants/${tenantId}/live/customers/${id}/edit`)
    await page.getByLabel('City').fill('Half-made')
    const session = await sessionOf(page)
    const headers = { cookie: `${SESSION_COOKIE}=${session?.value}`, 'roster-console': '1' }
    expect((await roster.api('DELETE', '/admin/session', null, headers)).status).toBe(204)
    await page.getByLabel('Reason').fill('Ticket 9')
    await page.getByRole('button', { name: 'Save' }).click()
    await signIn(page, second.key)
    expect(await page.getByLabel('City').inputValue()).toBe('')
    await page.goto(`${roster.origin}/console/`)
    await page.getByRole('heading', { name: 'Find', level: 1 }).waitFor()
    expect(await page.getByText('Seen by the first').count()).toBe(0)
  })

  it('says so if a session cannot be ended, and stays signed in', async () => {
    const { key } = await roster.operator('support', 'Grace Hopper')
    const { page } = await roster.openAs(key, '/console/')
    await page.route('**/admin/session', (route) => route.abort())
    const account = page.getByRole('button', { name: /Account: Grace Hopper/ })
    const leave = async () => {
      await account.click()
      await page.getByRole('menuitem', { name: 'Sign out' }).click()
    }
    await leave()
    await page.getByText('You are still signed in').waitFor()
    expect(await statusWith((await sessionOf(page))?.value ?? '')).toBe(200)
    await page.unroute('**/admin/session')
    await leave()
    await page.getByLabel('Key', { exact: true }).waitFor()
  })

  it('shows a viewer what the role may not do, with the reason', async () => {
    const { key } = await roster.operator('viewer')
    const { tenantId, liveKey } = await roster.tenant()
    const id = await roster.customer(liveKey, { name: 'Only to look at' })
    const { page } = await roster.openAs(key, `/console/tenants/${tenantId}/live/customers/${id}`)
    const edit = page.getByRole('button', { name: 'Edit' })
    expect(await edit.getAttribute('aria-disabled')).toBe('true')
    expect(await edit.getAttribute('aria-description')).toContain('this needs support')
    await page.keyboard.press('e')
    expect(new URL(page.url()).pathname).not.toContain('edit')
    await visit(page, `/console/tenants/${tenantId}/live/customers/${id}/edit`)
    await page.getByText('You may look, not change').waitFor()
    const { body } = await roster.api('GET', `/v1/customers/${id}`, null, bearer(liveKey))
    expect(body.name).toBe('Only to look at')
  })

  it('lets no page of another origin use the session, by form, link or script', async () => {
    const { key } = await roster.operator('owner')
    const { tenantId, company } = await roster.tenant('Unharmed')
    const { page, context } = await roster.openAs(key, '/console/')
    const site = createServer((_request, response) => {
      response.setHeader('content-type', 'text/html')
      response.end('<!doctype html><title>other</title><body>')
    })
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
    // The same host with another port is another origin, but the same site: the cookie is sent with every request.
    const other = await context.newPage()
    await other.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`)
    const target = `${roster.origin}/admin/customers/${tenantId}`
    const read = await other.evaluate(async (url) => {
      const attempt = (init: RequestInit) =>
        fetch(url, { credentials: 'include', ...init }).then(
          () => 'read',
          () => 'blocked',
        )
      return [
        await attempt({}),
        await attempt({ headers: { 'roster-console': '1' } }),
        await attempt({ method: 'PUT', headers: { 'roster-console': '1' }, body: '{"status":"suspended"}' }),
        await attempt({ method: 'POST', mode: 'cors', headers: { 'content-type': 'text/plain' }, body: '{}' }),
      ]
    }, target)
    expect(read).toEqual(['blocked', 'blocked', 'blocked', 'blocked'])
    // A request without an answer that a script may read still arrives: it must not be let in.
    const arrived = context.waitForEvent('response', (response) =>
      response.url().startsWith(`${roster.origin}/admin/customers`),
    )
    await other.evaluate((url) => {
      const form = document.createElement('form')
      Object.assign(form, { method: 'post', action: url, enctype: 'text/plain' })
      const field = document.createElement('input')
      Object.assign(field, { name: '{"company_name":"Forged","contact_email":"a@b.example","x":"', value: '"}' })
      form.append(field)
      document.body.append(form)
      form.submit()
    }, `${roster.origin}/admin/customers`)
    expect((await arrived).status()).toBe(401)
    const { body } = await roster.api('GET', `/admin/customers/${tenantId}`)
    expect([body.status, body.company_name]).toEqual(['active', company])
    const { body: forged } = await roster.api('GET', '/admin/customers?search=Forged')
    expect(forged.items).toEqual([])
    // Still signed in, so the session was there to be misused.
    await page.reload()
    await page.getByRole('heading', { name: 'Find' }).waitFor()
    site.close()
  })

  it('signs a tenant in with its own key, which stays in the tab', async () => {
    const { liveKey, company } = await roster.tenant('Own Eyes AG')
    const { liveKey: foreign } = await roster.tenant()
    await roster.customer(liveKey, { name: 'Mine' })
    const theirs = await roster.customer(foreign, { name: 'Not mine' })
    const { page, context } = await roster.open('/console/')
    await signIn(page, liveKey)
    await page.getByRole('link', { name: 'Mine' }).waitFor()
    await page.getByRole('button', { name: `Account: ${company}` }).waitFor()
    expect(await page.getByRole('link', { name: 'Tenants' }).count()).toBe(0)
    expect(await context.cookies()).toEqual([])
    await page.getByLabel('Id, external id, e-mail address or name').fill(theirs)
    await page.getByText('Nothing found').waitFor()
    const tab = await context.newPage()
    await tab.goto(`${roster.origin}/console/`)
    await tab.getByLabel('Key', { exact: true }).waitFor()
  })

  it('is served with a policy that allows no inline script or style and no other origin', async () => {
    for (const path of ['/console/', '/console/tenants/x/live/customers/y', '/console/audit', '/console/sign-in']) {
      const response = await fetch(roster.origin + path)
      const policy = response.headers.get('content-security-policy') ?? ''
      expect([path, response.status, response.headers.get('content-type')]).toEqual([
        path,
        200,
        'text/html; charset=utf-8',
      ])
      expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'")
      expect(policy).not.toMatch(/unsafe|https?:|data:|\*|,/)
      expect(response.headers.get('x-frame-options')).toBe('DENY')
    }
    expect((await fetch(`${roster.origin}/console/assets/gone.js`)).headers.get('cache-control')).toBe('no-store')
  })

  it(`loads ${SCRIPT_BYTES_MAX / 1024} KiB of script at most for any screen, gzipped, the frame included`, () => {
    const folder = 'public/console/assets'
    const scripts = readdirSync(folder).filter((name) => name.endsWith('.js'))
    const text = new Map(scripts.map((name) => [name, readFileSync(`${folder}/${name}`, 'utf8')]))
    /** Adds the script and all that it imports at once. */
    const load = (name: string, loaded: Set<string>): Set<string> => {
      if (loaded.has(name)) return loaded
      loaded.add(name)
      for (const [, imported = ''] of (text.get(name) ?? '').matchAll(/(?:from|import)"\.\/([^"]+\.js)"/g))
        load(imported, loaded)
      return loaded
    }
    const [, entry = ''] =
      /src="\/console\/assets\/([^"]+)"/.exec(readFileSync('public/console/index.html', 'utf8')) ?? []
    const bytes = new Map([...text].map(([name, script]) => [name, gzipSync(script).length]))
    const bytesOf = (names: Set<string>) => [...names].reduce((sum, name) => sum + (bytes.get(name) ?? 0), 0)
    // The chart of a tenant's usage comes with the screen of the tenant.
    const chart = scripts.find((name) => name.startsWith('usage')) ?? ''
    const screens = scripts.map((name) => bytesOf(load(chart, load(name, load(entry, new Set())))))
    expect(bytesOf(load(entry, new Set()))).toBeGreaterThan(100_000)
    expect(chart).not.toBe('')
    expect(Math.max(...screens)).toBeLessThan(SCRIPT_BYTES_MAX)
  })

  it('serves every screen of the router at its address', () => {
    const router = readFileSync('console/src/router.tsx', 'utf8')
    const rules = readFileSync('public/_redirects', 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('/'))
      .map((line) => line.split(' ')[0]?.slice('/console'.length).replace('/*', '') ?? '')
    const paths = [...router.matchAll(/\bpath: '([^']+)'/g)].map(([, path]) => `/${path?.split('/')[1]}`)
    expect(paths.length).toBeGreaterThan(10)
    for (const path of new Set(paths)) expect(path === '/' || rules.includes(path)).toBe(true)
  })

  it('knows the admin keys of the deployment as an owner', async () => {
    const { page } = await roster.open('/console/')
    await signIn(page, SERVED_ADMIN_KEY)
    await page.getByRole('button', { name: /Account: admin/ }).waitFor()
    const { body } = await roster.api('GET', '/admin/me')
    expect(body).toMatchObject({ role: 'owner', operator_id: null })
  })
})
