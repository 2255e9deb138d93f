/**
 * Journeys of the console about tenants, in Debian's Chromium against a served Roster. Each one ends in a look at what the
 * API then says.
 */
import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { axeFindings, bearer, findingsOn } from '../support/console.ts'
import { describeInBrowser, useConsole } from '../support/journeys.ts'
import { receiverThat } from '../support/receiver.ts'
import { SERVED_ADMIN_KEY } from '../support/served.ts'

describeInBrowser('the screens of tenants', () => {
  const roster = useConsole()

  const statusWith = async (key: string) => (await roster.api('GET', '/v1/customers?limit=1', null, bearer(key))).status
  const dialog = (page: Page) => page.getByRole('dialog')

  /** Takes the key that a dialog shows once, and closes it. */
  async function secretIn(page: Page): Promise<string> {
    const shown = dialog(page).locator('[data-secret]')
    const text = (await shown.textContent()) ?? ''
    await dialog(page).getByRole('button', { name: 'I have kept it' }).click()
    await shown.waitFor({ state: 'detached' })
    return text
  }

  it('makes a tenant and its first key, which works at once and is never shown again', async () => {
    const { page, complaints } = await roster.openAs(SERVED_ADMIN_KEY, '/console/tenants')
    await page.getByRole('button', { name: 'New tenant' }).first().click()
    await page.getByLabel('Company name').fill('Nordwind Energie')
    await page.getByLabel('Contact address').fill('not an address')
    await page.getByText('growth', { exact: true }).click()
    await page.getByRole('button', { name: 'Create the tenant' }).click()
    // The API's own text stands beside the field that it names.
    await page
      .getByText(/is not a valid|is no|address/)
      .first()
      .waitFor()
    await page.getByLabel('Contact address').fill('ops@nordwind.example')
    await page.getByRole('button', { name: 'Create the tenant' }).click()
    await page.getByRole('heading', { name: 'Nordwind Energie' }).waitFor()
    await page.getByText('No key yet').waitFor()

    await page.getByRole('button', { name: 'New key' }).first().click()
    await dialog(page).getByLabel('Name').fill('billing')
    await dialog(page).getByLabel('Manage webhook endpoints').uncheck()
    await dialog(page).getByRole('button', { name: 'Make the key' }).click()
    const key = await secretIn(page)
    expect(await statusWith(key)).toBe(200)
    await page.reload()
    await page.getByText('billing', { exact: true }).waitFor()
    expect(await page.content()).not.toContain(key)

    const { body: found } = await roster.api('GET', '/admin/customers?search=nordwind')
    expect(found.items).toMatchObject([{ company_name: 'Nordwind Energie', tier: 'growth', status: 'active' }])
    const { body: keys } = await roster.api('GET', `/admin/customers/${found.items[0].customer_id}/keys`)
    expect(keys.items).toMatchObject([
      {
        name: 'billing',
        mode: 'live',
        scopes: ['customers:read', 'customers:write', 'events:read', 'onboarding:manage'],
      },
    ])
    expect(complaints).toEqual([])
  })

  it('suspends a tenant while its traffic runs: after the console says so, no request is admitted', async () => {
    const { tenantId, company, liveKey } = await roster.tenant('Traffic & Söhne')
    const seen: { startedMs: number; status: number }[] = []
    let goes = true
    const traffic = Array.from({ length: 4 }, async () => {
      while (goes) {
        const startedMs = Date.now()
        seen.push({ startedMs, status: await statusWith(liveKey) })
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    })
    const { page } = await roster.openAs(SERVED_ADMIN_KEY, `/console/tenants/${tenantId}`)
    await page.getByRole('button', { name: 'Suspend' }).click()
    await dialog(page).getByText('2 keys stop working at once').waitFor()
    const confirm = dialog(page).getByRole('button', { name: 'Suspend it' })
    expect(await confirm.isDisabled()).toBe(true)
    await dialog(page).getByLabel('Type the name of the company').fill(company)
    await dialog(page).getByLabel('Reason').fill('Invoice 2291 is unpaid')
    await confirm.click()
    await page.getByText(/In force at \d\d:\d\d:\d\d/).waitFor()
    const shownMs = Date.now()
    while (seen.filter(({ startedMs }) => startedMs > shownMs).length < 20)
      await new Promise((resolve) => setTimeout(resolve, 20))
    goes = false
    await Promise.all(traffic)
    expect(seen.some(({ status }) => status === 200)).toBe(true)
    expect([...new Set(seen.filter(({ startedMs }) => startedMs > shownMs).map(({ status }) => status))]).toEqual([403])

    const { body: tenant } = await roster.api('GET', `/admin/customers/${tenantId}`)
    expect(tenant.status).toBe('suspended')
    const { body: audit } = await roster.api('GET', `/admin/audit?tenant_id=${tenantId}&type=tenant.updated`)
    expect(audit.items[0].reason).toBe('Invoice 2291 is unpaid')

    await page.getByRole('button', { name: 'Reactivate' }).click()
    await dialog(page).getByLabel('Reason').fill('Paid')
    await dialog(page).getByRole('button', { name: 'Reactivate it' }).click()
    await page.getByText('Reactivated').waitFor()
    expect(await statusWith(liveKey)).toBe(200)
  })

  it('changes the tier after it has shown each limit as it will be', async () => {
    const { tenantId } = await roster.tenant('Tarif AG')
    const { page } = await roster.openAs(SERVED_ADMIN_KEY, `/console/tenants/${tenantId}?tab=plan`)
    await page.getByRole('button', { name: 'Change tier' }).click()
    await dialog(page).getByText('growth', { exact: true }).click()
    const rate = dialog(page).locator('[data-limit="requests_per_second"]')
    expect(await rate.textContent()).toBe('20050')
    await dialog(page).getByLabel('Reason').fill('Contract of July')
    await dialog(page).getByRole('button', { name: 'Change the tier' }).click()
    await page.getByText('The tier is growth.').waitFor()
    const { body } = await roster.api('GET', `/admin/customers/${tenantId}`)
    expect([body.tier, body.limits.requests_per_second]).toEqual(['growth', 50])

    await page.getByRole('button', { name: 'Change tier' }).click()
    await dialog(page).getByText('custom', { exact: true }).click()
    await dialog(page).getByLabel('Requests per second').fill('seventy')
    await dialog(page).getByText('is no whole number').waitFor()
    await dialog(page).getByLabel('Requests per second').fill('75')
    await dialog(page).getByLabel('Reason').fill('More for the migration')
    await dialog(page).getByRole('button', { name: 'Change the tier' }).click()
    await page.getByText('The tier is custom.').waitFor()
    const { body: custom } = await roster.api('GET', `/admin/customers/${tenantId}`)
    expect([custom.tier, custom.limits.requests_per_second, custom.limits.burst]).toEqual(['custom', 75, 100])
  })

  it('rotates a key without an overlap and revokes another one, in force when it says so', async () => {
    const { tenantId, liveKey, testKey } = await roster.tenant('Schlüssel OHG')
    const { page } = await roster.openAs(SERVED_ADMIN_KEY, `/console/tenants/${tenantId}?tab=keys`)
    await page.getByRole('button', { name: 'Rotate live key' }).click()
    await dialog(page).getByLabel('Overlap').selectOption({ label: 'none: it stops at once' })
    await dialog(page).getByLabel('Reason').fill('Left the company')
    await dialog(page).getByRole('button', { name: 'Rotate it' }).click()
    const next = await secretIn(page)
    expect([await statusWith(liveKey), await statusWith(next), await statusWith(testKey)]).toEqual([401, 200, 200])

    // An undo takes back what a key did.
    const id = await roster.customer(testKey, { name: 'By test key' })
    await page.getByRole('button', { name: 'Undo what test key did' }).click()
    await dialog(page).getByLabel('Since').fill('2020-01-01T00:00')
    await dialog(page).getByLabel('Reason').fill('Found in a log')
    await dialog(page).getByRole('button', { name: 'Look first' }).click()
    await dialog(page).getByLabel('Type the name of the company').fill('Schlüssel OHG')
    await dialog(page).getByRole('button', { name: 'Undo 1 customer' }).click()
    await dialog(page).getByText('Undone: 1 customer of').waitFor()
    await dialog(page).getByRole('button', { name: 'Close' }).click()
    const { body: undone } = await roster.api('GET', `/v1/customers/${id}`, null, bearer(testKey))
    expect(undone.status).toBe('archived')

    await page.getByRole('button', { name: 'Revoke test key' }).click()
    await dialog(page).getByLabel('Type the name of the key').fill('test key')
    await dialog(page).getByLabel('Reason').fill('Found in a log')
    await dialog(page).getByRole('button', { name: 'Revoke it' }).click()
    await page.getByText('The key is revoked.').waitFor()
    expect([await statusWith(testKey), await statusWith(next)]).toEqual([401, 200])
    const { body } = await roster.api('GET', `/admin/customers/${tenantId}/keys`)
    expect(body.items.map(({ mode, status }: { mode: string; status: string }) => `${mode} ${status}`).sort()).toEqual([
      'live active',
      'live revoked',
      'test revoked',
    ])
  })

  it('shows why webhooks fail, and sends one again', async () => {
    const { tenantId, liveKey } = await roster.tenant('Haken GmbH')
    const receiver = await receiverThat(500)
    const { body: endpoint } = await roster.api(
      'POST',
      '/v1/webhooks/endpoints',
      { url: receiver.url },
      bearer(liveKey),
    )
    await roster.customer(liveKey, { name: 'Anna' })
    await receiver.received(1)
    const { page } = await roster.openAs(SERVED_ADMIN_KEY, `/console/tenants/${tenantId}?tab=webhooks`)
    await page.getByRole('link', { name: receiver.url }).click()
    await page.getByText('customer.created').first().click()
    await page.getByText('answered 500').first().waitFor()
    receiver.answerWith(204)
    await page.getByRole('button', { name: 'Redeliver', exact: true }).click()
    await page.getByText('on its way again').waitFor()
    await receiver.received(2)
    const deliveries = `/v1/webhooks/endpoints/${endpoint.id}/deliveries?status=delivered`
    for (;;) {
      const { body } = await roster.api('GET', deliveries, null, bearer(liveKey))
      if (body.items.length > 0) break
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    await receiver.close()
  })

  it('shows a viewer what it may not do, with the reason, and the API refuses it too', async () => {
    const { tenantId, liveKey } = await roster.tenant('Sicht KG')
    const { key } = await roster.operator('viewer')
    const { page } = await roster.openAs(key, `/console/tenants/${tenantId}?tab=keys`)
    const suspend = page.getByRole('button', { name: 'Suspend' })
    expect(await suspend.getAttribute('aria-disabled')).toBe('true')
    expect(await suspend.getAttribute('aria-description')).toContain('Your role is viewer')
    // A click at the place, as a person makes it: the button is shown as disabled.
    await suspend.click({ force: true })
    expect(await dialog(page).count()).toBe(0)
    const path = `/admin/customers/${tenantId}`
    expect((await roster.api('PUT', path, { status: 'suspended' }, { 'x-api-key': key })).status).toBe(403)
    expect(await statusWith(liveKey)).toBe(200)
  })

  it('has nothing that axe finds, on any screen of tenants, in both themes', async () => {
    const { tenantId, liveKey } = await roster.tenant('Axel & Söhne')
    const { body: endpoint } = await roster.api(
      'POST',
      '/v1/webhooks/endpoints',
      { url: 'http://127.0.0.1:9/' },
      bearer(liveKey),
    )
    await roster.customer(liveKey, { name: 'Anna' })
    const { page } = await roster.openAs(SERVED_ADMIN_KEY, '/console/tenants')
    const at = `/console/tenants/${tenantId}`
    const screens: [address: string, shows: string][] = [
      ['/console/tenants', 'Axel & Söhne'],
      ['/console/tenants/new', 'What it may use'],
      [at, 'Requests by day'],
      [`${at}?tab=plan`, 'Company and contract'],
      [`${at}?tab=keys`, 'live key'],
      [`${at}?tab=webhooks`, '127.0.0.1'],
      [`${at}?tab=onboarding`, 'Live mode'],
      [`${at}/live/endpoints/${endpoint.id}`, 'customer.created'],
    ]
    expect(await findingsOn(page, screens)).toEqual({})
    await page.getByRole('link', { name: 'All endpoints' }).click()
    await page.getByRole('button', { name: 'Suspend' }).click()
    await dialog(page).getByRole('button', { name: 'Suspend it' }).waitFor()
    expect(await axeFindings(page)).toEqual([])
  })
})
