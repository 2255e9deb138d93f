/**
 * Journeys of an operator through the screens that find, show and edit customers, in a real browser against a served Roster.
 * Each ends in a look at what the API says.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { axeFindings, bearer, elsewhere, findingsOn, visit } from '../support/console.ts'
import { describeInBrowser, useConsole } from '../support/journeys.ts'
import { SERVED_ADMIN_KEY } from '../support/served.ts'

const PHONE = { viewport: { width: 390, height: 844 } }

describeInBrowser('customers in the console', () => {
  const roster = useConsole()

  /** Returns the customer as the API answers it, with the given key. */
  async function stored(key: string, id: string) {
    return (await roster.api('GET', `/v1/customers/${id}`, null, bearer(key))).body
  }

  it('finds and corrects a customer with the keyboard alone', async () => {
    const { tenantId, company, liveKey } = await roster.tenant('Keyboard GmbH')
    const id = await roster.customer(liveKey, { external_id: 'kb-1', name: 'Grace Hopper', address_city: 'Köln' })
    const { page, complaints, requested } = await roster.openAs(SERVED_ADMIN_KEY, '/console/audit')
    await page.getByRole('heading', { name: 'Audit' }).waitFor()
    await page.keyboard.press('/')
    await page.locator('[data-find]:focus').waitFor()
    await page.keyboard.type('kb-1')
    await page.getByRole('link', { name: 'Grace Hopper' }).waitFor()
    await page.getByText(company).first().waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Grace Hopper', level: 1, exact: true }).waitFor()
    expect(new URL(page.url()).pathname).toBe(`/console/tenants/${tenantId}/live/customers/${id}`)
    await page.keyboard.press('e')
    await page.getByRole('heading', { name: 'Edit Grace Hopper' }).waitFor()
    await page.getByLabel('City').focus()
    await page.keyboard.press('ControlOrMeta+a')
    await page.keyboard.type('Bonn')
    await page.getByLabel('Reason').focus()
    await page.keyboard.type('Ticket 4711: Umzug nach Bönn')
    await page.keyboard.press('Enter')
    await page.getByText('City Köln → Bonn').waitFor()
    expect(await stored(liveKey, id)).toMatchObject({ address_city: 'Bonn', name: 'Grace Hopper' })
    const { body: audit } = await roster.api('GET', `/admin/audit?tenant_id=${tenantId}&customer_id=${id}&limit=1`)
    expect(audit.items[0]).toMatchObject({ type: 'customer.updated', reason: 'Ticket 4711: Umzug nach Bönn' })
    expect([complaints, elsewhere(requested, roster.origin)]).toEqual([[], []])
  })

  it('finds by the beginnings of names in all tenants, exact matches first, and within one of them', async () => {
    const [one, other] = [await roster.tenant('Findig Eins'), await roster.tenant('Findig Zwei')]
    await roster.customer(one.liveKey, { name: 'Quirin Äpfelbach', external_id: 'exact' })
    await roster.customer(other.testKey, { name: 'Quentin Apfelbacher', external_id: 'quirin' })
    const { page } = await roster.openAs(SERVED_ADMIN_KEY, '/console/')
    const rows = page.locator('main li')
    const field = page.getByLabel('Id, external id, e-mail address or name')
    await field.fill('apfelb qu')
    await rows.nth(1).waitFor()
    expect(await rows.allTextContents()).toEqual([
      expect.stringMatching(/^Quentin Apfelbacher.*Findig Zwei.*test/i),
      expect.stringMatching(/^Quirin Äpfelbach.*Findig Eins/),
    ])
    await field.fill('quirin')
    await page.getByRole('link', { name: 'Quentin' }).waitFor()
    expect(await rows.allTextContents()).toEqual([
      expect.stringContaining('Quentin Apfelbacher'),
      expect.stringContaining('Quirin Äpfelbach'),
    ])
    await visit(page, `/console/?q=apfelb&tenant=${one.tenantId}&mode=live`)
    await page.getByText('Within Findig Eins, live: 1 customer', { exact: true }).waitFor()
    await page.getByRole('link', { name: 'Quentin' }).waitFor({ state: 'detached' })
    await page.getByRole('link', { name: 'Quirin' }).waitFor()
    expect(await rows.count()).toBe(1)
    const { body } = await roster.api('GET', '/admin/search?q=apfelb%20qu')
    expect(body.customers.map(({ company_name }: { company_name: string }) => company_name)).toEqual([
      'Findig Zwei',
      'Findig Eins',
    ])
  })

  it('moves through the rows with j and k, and shows all keys at ?', async () => {
    const { tenantId, liveKey } = await roster.tenant()
    for (const name of ['Row one', 'Row two', 'Row three']) await roster.customer(liveKey, { name })
    const { page } = await roster.openAs(SERVED_ADMIN_KEY, `/console/?tenant=${tenantId}&mode=live`)
    await page.getByRole('link', { name: 'Row three' }).waitFor()
    await page.keyboard.press('ArrowDown')
    const focused = () => page.evaluate(() => document.activeElement?.textContent ?? '')
    expect(await focused()).toContain('Row three')
    await page.keyboard.press('j')
    expect(await focused()).toContain('Row two')
    await page.keyboard.press('j')
    await page.keyboard.press('k')
    expect(await focused()).toContain('Row two')
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keys' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.keyboard.press('/')
    await page.keyboard.press('Escape')
    await page.keyboard.press('g')
    await page.keyboard.press('a')
    await page.getByRole('heading', { name: 'Audit' }).waitFor()
  })

  it('shows the timeline, opens a change to its diff, and sends a webhook again', async () => {
    const received: string[] = []
    const receiver = await receive(received)
    const { tenantId, liveKey } = await roster.tenant()
    const port = (receiver.address() as AddressInfo).port
    await roster.api('POST', '/v1/webhooks/endpoints', { url: `http://127.0.0.1:${port}/hooks` }, bearer(liveKey))
    const id = await roster.customer(liveKey, { name: 'Timeline', address_city: 'Köln', metadata: { plan: 'scale' } })
    await roster.api(
      'PATCH',
      `/v1/customers/${id}`,
      { address_city: 'Bonn' },
      { ...bearer(liveKey), 'x-request-id': 'call-4711' },
    )
    await until(() => received.length === 2)
    const { page, complaints } = await roster.openAs(
      SERVED_ADMIN_KEY,
      `/console/tenants/${tenantId}/live/customers/${id}`,
    )
    await page.getByRole('button', { name: /City Köln → Bonn, by key live key/ }).click()
    await page.getByText('call-4711', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Webhooks', exact: true }).click()
    await page
      .getByRole('button', { name: /Webhook delivered to 127\.0\.0\.1/ })
      .first()
      .click()
    await page.getByRole('button', { name: 'Redeliver' }).click()
    await until(() => received.length === 3)
    expect(received[2]).toBe(received[1])
    const { body: endpoints } = await roster.api('GET', '/v1/webhooks/endpoints', null, bearer(liveKey))
    const deliveries = `/v1/webhooks/endpoints/${endpoints.items[0].id}/deliveries`
    await until(async () => {
      const { body } = await roster.api('GET', deliveries, null, bearer(liveKey))
      return body.items.filter(({ status }: { status: string }) => status === 'delivered').length === 3
    })
    expect(complaints).toEqual([])
    receiver.close()
  })

  it('sends the signal that an onboarding waits for', async () => {
    const { tenantId, liveKey } = await roster.tenant()
    const steps = [{ type: 'wait_for', name: 'Contract', signal: 'contract_signed', timeout_seconds: 86_400 }]
    await roster.api('PUT', '/v1/settings/customer_onboarding', { workflows: { default: { steps } } }, bearer(liveKey))
    const id = await roster.customer(liveKey, { name: 'Onboarded', onboarding_workflow_name: 'default' })
    const run = async () => (await roster.api('GET', `/v1/customers/${id}/onboarding`, null, bearer(liveKey))).body
    await until(async () => (await run()).steps[0].status === 'waiting')
    const { page } = await roster.openAs(SERVED_ADMIN_KEY, `/console/tenants/${tenantId}/live/customers/${id}`)
    await page.getByRole('button', { name: /Contract: waits for the signal contract_signed/ }).click()
    await page.getByRole('button', { name: 'Send contract_signed' }).click()
    await until(async () => (await run()).status === 'completed')
    expect((await run()).steps[0]).toMatchObject({ status: 'completed' })
  })

  it('never overwrites a change that was made meanwhile: shows both, and saves the choice', async () => {
    const { tenantId, liveKey } = await roster.tenant()
    const id = await roster.customer(liveKey, { name: 'Race', address_city: 'Köln', contact: '1' })
    const { page } = await roster.openAs(SERVED_ADMIN_KEY, `/console/tenants/${tenantId}/live/customers/${id}/edit`)
    await page.getByLabel('City').fill('Bonn')
    await page.getByLabel('Phone').fill('2')
    await page.getByLabel('Reason').fill('Ticket 1')
    await roster.api('PATCH', `/v1/customers/${id}`, { address_city: 'Aachen', name: 'Race GmbH' }, bearer(liveKey))
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Somebody else has changed this customer meanwhile').waitFor()
    expect(await stored(liveKey, id)).toMatchObject({ address_city: 'Aachen', contact: '1' })
    const row = page.getByRole('row', { name: /City/ })
    await row.getByRole('radio').first().check()
    expect(await axeFindings(page)).toEqual([])
    await page.getByRole('button', { name: 'Continue with this' }).click()
    await page.getByText('1 change to save').waitFor()
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('heading', { name: 'Race GmbH', level: 1, exact: true }).waitFor()
    expect(await stored(liveKey, id)).toMatchObject({ address_city: 'Aachen', contact: '2', name: 'Race GmbH' })
  })

  it('keeps a half-finished edit through a reload, and shows what the API refuses beside its field', async () => {
    const { tenantId, liveKey } = await roster.tenant()
    const id = await roster.customer(liveKey, { name: 'Draft' })
    const { page } = await roster.openAs(SERVED_ADMIN_KEY, `/console/tenants/${tenantId}/live/customers/${id}/edit`)
    await page.getByLabel('E-mail address').fill('nobody')
    await page.getByLabel('Reason').fill('Ticket 2')
    await page.reload()
    await page.getByText('Your edit from before is still here').waitFor()
    expect(await page.getByLabel('E-mail address').inputValue()).toBe('nobody')
    await page.getByRole('button', { name: 'Save' }).click()
    const field = page.getByLabel('E-mail address')
    await page.locator('[aria-invalid=true]').waitFor()
    expect(await field.getAttribute('aria-invalid')).toBe('true')
    expect((await stored(liveKey, id)).email).toBe('')
    await field.fill('somebody@example.com')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('heading', { name: 'Draft', level: 1, exact: true }).waitFor()
    expect((await stored(liveKey, id)).email).toBe('somebody@example.com')
  })

  it('archives, restores and erases a customer, the last only when its id is typed', async () => {
    const { tenantId, liveKey } = await roster.tenant()
    const id = await roster.customer(liveKey, { name: 'Gone', email: 'gone@example.com' })
    const { page } = await roster.openAs(SERVED_ADMIN_KEY, `/console/tenants/${tenantId}/live/customers/${id}`)
    await page.getByRole('button', { name: 'Archive' }).click()
    await page.getByLabel('Reason').fill('Ticket 3')
    expect(await axeFindings(page)).toEqual([])
    await page.getByRole('dialog').getByRole('button', { name: 'Archive' }).click()
    await page.getByRole('button', { name: 'Restore' }).waitFor()
    expect(await stored(liveKey, id)).toMatchObject({ status: 'archived' })
    await page.getByRole('button', { name: 'Restore' }).click()
    await page.getByLabel('Reason').fill('Ticket 4')
    await page.getByRole('dialog').getByRole('button', { name: 'Restore' }).click()
    await page.getByRole('button', { name: 'Edit' }).waitFor()
    expect(await stored(liveKey, id)).toMatchObject({ status: 'published' })
    await page.getByRole('button', { name: 'More actions' }).click()
    await page.getByRole('menuitem', { name: /Erase personal data/ }).click()
    const erase = page.getByRole('button', { name: 'Erase for good' })
    await page.getByLabel('Reason').fill('Ticket 5')
    await page.getByLabel('Type the id of the customer').fill(id.slice(0, -1))
    expect(await erase.isDisabled()).toBe(true)
    await page.getByLabel('Type the id of the customer').fill(id)
    await erase.click()
    await page.getByText(/Erased: .* lost personal data/).waitFor()
    const { status } = await roster.api('GET', `/v1/customers/${id}`, null, bearer(liveKey))
    expect(status).toBe(404)
    const { body } = await roster.api('GET', '/admin/search?q=gone@example.com')
    expect(body.customers).toEqual([])
  })

  it('works at 390 px: find, open, edit, without scrolling sideways', async () => {
    const { tenantId, liveKey } = await roster.tenant('Pocket AG')
    const name = 'A name of two hundred and fifty-five characters '.repeat(6).slice(0, 255)
    const id = await roster.customer(liveKey, { external_id: 'pocket-1', name, metadata: { note: 'x'.repeat(300) } })
    const { page } = await roster.openAs(SERVED_ADMIN_KEY, '/console/', PHONE)
    await page.getByRole('button', { name: 'Open the navigation' }).click()
    await page.getByRole('link', { name: 'Find' }).click()
    await page.getByLabel('Id, external id, e-mail address or name').fill('pocket-1')
    await page.getByRole('link', { name: /A name of two hundred/ }).click()
    await page.getByRole('heading', { name, level: 1, exact: true }).waitFor()
    const isTooWide = () => page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)
    expect(await isTooWide()).toBe(false)
    await page.getByRole('button', { name: 'Edit' }).click()
    await page.getByLabel('Name', { exact: true }).fill('Short')
    await page.getByLabel('Reason').fill('Ticket 6')
    expect(await isTooWide()).toBe(false)
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('heading', { name: 'Short', level: 1, exact: true }).waitFor()
    expect((await stored(liveKey, id)).name).toBe('Short')
    expect(new URL(page.url()).pathname).toContain(tenantId)
  })

  it('keeps test data apart: a band, and the way to the same list in live mode', async () => {
    const { tenantId, liveKey, testKey } = await roster.tenant()
    await roster.customer(liveKey, { name: 'Real Person' })
    const id = await roster.customer(testKey, { name: 'Test Person' })
    const { page } = await roster.openAs(SERVED_ADMIN_KEY, `/console/tenants/${tenantId}/test/customers/${id}`)
    await page.getByText('Test mode.').waitFor()
    await page.getByRole('button', { name: 'Switch to live' }).click()
    await page.getByRole('link', { name: 'Real Person' }).waitFor()
    expect(await page.getByText('Test mode.').count()).toBe(0)
    expect(await page.getByText('Test Person').count()).toBe(0)
  })

  it('gives axe nothing to find on the screens of customers, in both themes', async () => {
    const { tenantId, liveKey, testKey } = await roster.tenant()
    const parent = await roster.customer(liveKey, { name: 'Parent', metadata: { plan: 'scale' } })
    const id = await roster.customer(liveKey, { name: 'عميل 🙂', parent_customer_id: parent, email: 'a@example.com' })
    await roster.customer(testKey, { name: 'In test' })
    const customer = `/console/tenants/${tenantId}/live/customers/${id}`
    const { page, complaints } = await roster.openAs(SERVED_ADMIN_KEY, '/console/')
    const screens: [address: string, shows: string][] = [
      ['/console/', 'Find'],
      ['/console/?q=nobody-has-this', 'Nothing found'],
      [`/console/?tenant=${tenantId}&mode=test`, 'In test'],
      [customer, 'What happened'],
      [`${customer}/edit`, 'Nothing has changed yet'],
      [`/console/tenants/${tenantId}/live/customers/cust_00000000000000000000000000`, 'Not found'],
    ]
    expect(await findingsOn(page, screens)).toEqual({})
    expect(complaints).toEqual([])
  })
})

/** Receives webhooks, and keeps the id of each. */
function receive(received: string[]): Promise<Server> {
  const server = createServer((request, response) => {
    received.push(String(request.headers['webhook-id']))
    request.resume().on('end', () => response.end('ok'))
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}

/** Waits until it holds. The time-out of the test ends a wait for what never happens. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 50))
}
