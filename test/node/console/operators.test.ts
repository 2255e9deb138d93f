/**
 * Journeys of the console about operators, and a tenant that signs in itself, in Debian's Chromium against a served
 * Roster. Each one ends in a look at what the API then says.
 */
import { expect, it } from 'vitest'
import { axeFindings, bearer, findingsOn, signIn, visit } from '../support/console.ts'
import { describeInBrowser, useConsole } from '../support/journeys.ts'
import { SERVED_ADMIN_KEY } from '../support/served.ts'

describeInBrowser('operators', () => {
  const roster = useConsole()

  it('adds an operator, whose link signs them in once', async () => {
    const { page } = await roster.openAs(SERVED_ADMIN_KEY, '/console/operators')
    await page.getByRole('button', { name: 'Add an operator' }).first().click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Name').fill('Mina Murray')
    await dialog.getByLabel('E-mail address').fill('mina@example.com')
    await dialog.getByLabel('Role').selectOption('support')
    await dialog.getByRole('button', { name: 'Add', exact: true }).click()
    const link = (await dialog.locator('[data-secret]').textContent()) ?? ''
    const at = new URL(link)
    expect(at.pathname).toBe('/console/sign-in')
    const { page: hers } = await roster.open(at.pathname + at.hash)
    await hers.getByRole('button', { name: 'Sign in' }).click()
    await hers.getByRole('button', { name: /Mina Murray/ }).waitFor()
    const { page: again } = await roster.open(at.pathname + at.hash)
    await again.getByRole('button', { name: 'Sign in' }).click()
    await again.getByRole('alert').first().waitFor()
    const { body } = await roster.api('GET', '/admin/operators')
    expect(body.items).toContainEqual(expect.objectContaining({ email: 'mina@example.com', role: 'support' }))
  })

  it('demotes an operator who is signed in: their next change is refused, and the console says why', async () => {
    const { tenantId, liveKey } = await roster.tenant('Demo Tausch')
    const { key, operatorId } = await roster.operator('admin', 'Grace Hopper')
    const { page: hers } = await roster.openAs(key, `/console/tenants/${tenantId}`)
    await hers.getByRole('button', { name: 'Suspend' }).click()
    await hers.getByLabel('Type the name of the company').fill('Demo Tausch')
    await hers.getByLabel('Reason').fill('A test')

    const { page } = await roster.openAs(SERVED_ADMIN_KEY, `/console/operators?operator=${operatorId}`)
    await page.getByLabel('Role').selectOption('viewer')
    await page.getByRole('button', { name: 'Change the role' }).click()
    await page.getByText('Grace Hopper is viewer now.').waitFor()

    await hers.getByRole('button', { name: 'Suspend it' }).click()
    await hers.getByRole('alert').waitFor()
    const { body: tenant } = await roster.api('GET', `/admin/customers/${tenantId}`)
    expect(tenant.status).toBe('active')
    expect((await roster.api('GET', '/v1/customers?limit=1', null, bearer(liveKey))).status).toBe(200)
    await hers.reload()
    expect(await hers.getByRole('button', { name: 'Suspend' }).getAttribute('aria-disabled')).toBe('true')
  })

  it('signs out by the keyboard alone, and gives the focus back when a menu is closed', async () => {
    const { key } = await roster.operator('viewer', 'Kay Board')
    const { page, context } = await roster.openAs(key, '/console/audit')
    const session = (await context.cookies()).find(({ httpOnly }) => httpOnly)
    const asBefore = { cookie: `${session?.name}=${session?.value}`, 'roster-console': '1' }
    expect((await roster.api('GET', '/admin/me', null, asBefore)).body.name).toBe('Kay Board')
    const focused = page.locator(':focus')
    const account = page.getByRole('button', { name: /Account: Kay Board/ })
    await account.press('Enter')
    await page.getByRole('menuitem', { name: 'Light' }).and(focused).waitFor()
    expect(await axeFindings(page)).toEqual([])
    await page.keyboard.press('ArrowDown')
    await page.getByRole('menuitem', { name: 'Dark' }).and(focused).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('menu').waitFor({ state: 'detached' })
    await account.and(focused).waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('menuitem', { name: 'Light' }).and(focused).waitFor()
    await page.keyboard.press('ArrowUp')
    await page.getByRole('menuitem', { name: 'Sign out' }).and(focused).waitFor()
    await page.keyboard.press('Enter')
    await page.getByLabel('Key', { exact: true }).waitFor()
    expect((await roster.api('GET', '/admin/me', null, asBefore)).status).toBe(401)
  })

  it('lets a tenant that signs in with its own key see its own part, and nothing else', async () => {
    const own = await roster.tenant('Eigen GmbH')
    const other = await roster.tenant('Fremd GmbH')
    const customer = await roster.customer(other.liveKey, { name: 'Somebody else' })
    await roster.customer(own.liveKey, { name: 'Anna Eigen' })
    const { page, requested } = await roster.open('/console/')
    await signIn(page, own.liveKey)
    // Before it had a key, the page has asked once whether an operator is signed in.
    const before = requested.length
    await page.getByRole('link', { name: 'Account', exact: true }).waitFor()
    for (const hidden of ['Tenants', 'Audit', 'Operators', 'Health']) {
      expect(await page.getByRole('link', { name: hidden, exact: true }).count()).toBe(0)
    }
    await visit(page, `/console/tenants/${own.tenantId}?tab=keys`)
    await page.getByText('live key', { exact: true }).waitFor()
    expect(await page.getByRole('button', { name: 'New key' }).getAttribute('aria-disabled')).toBe('true')
    await visit(page, `/console/tenants/${own.tenantId}`)
    await page.getByText('This contract year').waitFor()

    for (const [path, says] of [
      [`/console/tenants/${other.tenantId}`, 'There is no such tenant.'],
      [`/console/tenants/${other.tenantId}/live/customers/${customer}`, 'Not found'],
    ] as const) {
      await visit(page, path)
      await page.getByText(says).first().waitFor()
    }
    for (const path of ['/console/tenants', '/console/audit', '/console/operators', '/console/health']) {
      await visit(page, path)
      await page.getByText('only for operators').first().waitFor()
    }
    expect(requested.slice(before).filter((url) => url.includes('/admin/'))).toEqual([])
    const asOther = await roster.api('GET', '/v1/customers?limit=1', null, {
      ...bearer(own.liveKey),
      'roster-tenant': other.tenantId,
    })
    expect(asOther.status).toBe(403)
  })

  it('has nothing that axe finds, in both themes', async () => {
    const { operatorId } = await roster.operator('support', 'Axel Finder')
    const { page } = await roster.openAs(SERVED_ADMIN_KEY, '/console/operators')
    expect(await findingsOn(page, [['/console/operators', 'Axel Finder']])).toEqual({})
    await visit(page, `/console/operators?operator=${operatorId}`)
    await page.getByRole('button', { name: 'Make a key' }).click()
    await page.locator('[data-secret]').waitFor()
    expect(await axeFindings(page)).toEqual([])
  })
})
