/**
 * Journeys of the console about what went wrong: a customer is shown as it was and made so again, and two become one. Each ends
 * in a look at what the API says.
 */
import { expect, it } from 'vitest'
import { axeFindings, bearer, visit } from '../support/console.ts'
import { describeInBrowser, useConsole } from '../support/journeys.ts'
import { SERVED_ADMIN_KEY } from '../support/served.ts'

describeInBrowser('mistakes', () => {
  const roster = useConsole()

  async function stored(key: string, id: string) {
    return (await roster.api('GET', `/v1/customers/${id}`, null, bearer(key))).body
  }

  it('shows a customer as it was, and reverts to it what is still to be had', async () => {
    const { tenantId, liveKey } = await roster.tenant()
    const id = await roster.customer(liveKey, { external_id: 'acme-2', name: 'Acme', metadata: { plan: 'pro' } })
    const change = { external_id: 'acme-two', name: 'Acme Ltd', metadata: { plan: null } }
    await roster.api('PATCH', `/v1/customers/${id}`, change, bearer(liveKey))
    const taker = await roster.customer(liveKey, { external_id: 'acme-2', name: 'Another one' })
    const at = `/console/tenants/${tenantId}/live/customers/${id}`
    const { page, complaints } = await roster.openAs(SERVED_ADMIN_KEY, at)
    await page.getByRole('button', { name: /Customer created: Acme/ }).click()
    await page.getByRole('link', { name: 'See it as of then' }).click()
    await page.getByText('As it was: version 1').waitFor()
    await page.getByRole('heading', { name: 'Acme', level: 1, exact: true }).waitFor()
    expect(new URL(page.url()).search).toBe('?version=1')
    expect(await axeFindings(page)).toEqual([])
    await page.getByRole('button', { name: 'Revert to this' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('What the revert changes').waitFor()
    expect(await dialog.getByLabel('What the revert changes').getByRole('listitem').count()).toBe(3)
    await dialog.getByLabel('Reason').fill('Ticket 7')
    await dialog.getByRole('button', { name: 'Revert', exact: true }).click()
    await dialog.getByText(`External id of then belongs to ${taker} now`).waitFor()
    expect(await axeFindings(page)).toEqual([])
    expect(await stored(liveKey, id)).toMatchObject({ external_id: 'acme-two', name: 'Acme Ltd' })
    await dialog.getByRole('checkbox', { name: /Revert the rest/ }).check()
    await dialog.getByRole('button', { name: 'Revert', exact: true }).click()
    await page.getByText('Reverted to version 1, but for External id').waitFor()
    expect(await stored(liveKey, id)).toMatchObject({
      external_id: 'acme-two',
      name: 'Acme',
      metadata: { plan: 'pro' },
    })
    await page.getByRole('link', { name: 'Back to now' }).click()
    await page.getByRole('button', { name: /Acme Ltd → Acme.*Ticket 7/ }).waitFor()
    expect(complaints).toEqual([])
  })

  it('makes one customer of two, after a look at what moves, and leads from one to the other', async () => {
    const { tenantId, liveKey } = await roster.tenant()
    const fields = { email: 'twin@example.com' }
    const one = await roster.customer(liveKey, { ...fields, external_id: 'one', name: 'One', address_city: 'Köln' })
    const two = await roster.customer(liveKey, {
      ...fields,
      external_id: 'two',
      name: 'Two',
      address_city: 'Bonn',
      contact: '2',
    })
    await roster.customer(liveKey, { name: 'Child', parent_customer_id: two })
    const at = `/console/tenants/${tenantId}/live/customers/${two}`
    const { page, complaints } = await roster.openAs(SERVED_ADMIN_KEY, at)
    await page.getByText('same e-mail address').waitFor()
    await page.getByRole('button', { name: 'More actions' }).click()
    await page.getByRole('menuitem', { name: 'Merge into' }).click()
    await page.getByLabel('Which customer stays?').fill('on')
    await page.getByRole('region', { name: 'Found' }).getByRole('link', { name: 'One' }).click()
    await page.getByText('1 child').waitFor()
    await page.getByRole('group', { name: 'Name' }).getByLabel(/^Two/).check()
    await page.getByLabel('Values that it gets').getByText('One', { exact: true }).waitFor()
    expect(await axeFindings(page)).toEqual([])
    expect(await stored(liveKey, two)).toMatchObject({ id: two })
    await page.getByRole('button', { name: 'Merge…' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Reason').fill('Ticket 8')
    await dialog.getByLabel('Type the id of Two').fill(one)
    expect(await dialog.getByRole('button', { name: 'Merge', exact: true }).isDisabled()).toBe(true)
    await dialog.getByLabel('Type the id of Two').fill(two)
    await dialog.getByRole('button', { name: 'Merge', exact: true }).click()
    await page.getByRole('heading', { name: 'Two is merged' }).waitFor()
    expect(await axeFindings(page)).toEqual([])
    const merged = { id: one, external_id: 'one', name: 'Two', address_city: 'Köln', contact: '2' }
    expect(await stored(liveKey, two)).toMatchObject(merged)
    const { body: audit } = await roster.api('GET', `/admin/audit?tenant_id=${tenantId}&customer_id=${one}&limit=1`)
    expect(audit.items[0]).toMatchObject({ type: 'customer.merged', reason: 'Ticket 8' })
    // The address that a colleague still has.
    await visit(page, at)
    await page.getByText('Now a part of another customer').waitFor()
    expect(new URL(page.url()).pathname).toBe(at)
    expect(await axeFindings(page)).toEqual([])
    await page.getByRole('main').getByRole('link', { name: 'Two' }).click()
    await page.getByText('Another customer merged into this one').waitFor()
    expect(new URL(page.url()).pathname).toContain(one)

    // A merge is taken back at that address, but for what was changed since.
    await roster.api('PATCH', `/v1/customers/${one}`, { name: 'Changed since' }, bearer(liveKey))
    await visit(page, at)
    await page.getByRole('button', { name: 'Take the merge back' }).click()
    await dialog.getByText('Name of Changed since stays as it is: somebody has changed it since').waitFor()
    await dialog.getByText('It gets back 1 child').waitFor()
    await dialog.getByLabel('Values that change').getByText('2', { exact: true }).waitFor()
    expect(await axeFindings(page)).toEqual([])
    expect(await stored(liveKey, two)).toMatchObject({ id: one })
    await dialog.getByLabel('Reason').fill('Ticket 9')
    await dialog.getByRole('button', { name: 'Take it back' }).click()
    await page.getByRole('heading', { name: 'Two', level: 1, exact: true }).waitFor()
    expect(await stored(liveKey, two)).toMatchObject({ id: two, name: 'Two', address_city: 'Bonn', contact: '2' })
    expect(await stored(liveKey, one)).toMatchObject({ name: 'Changed since', address_city: 'Köln', contact: null })
    const { body: back } = await roster.api('GET', `/admin/audit?tenant_id=${tenantId}&customer_id=${one}&limit=1`)
    expect(back.items[0]).toMatchObject({ type: 'customer.unmerged', reason: 'Ticket 9' })

    // The log of the other one names it, and has what that one was then.
    await roster.api('PATCH', `/v1/customers/${one}`, { name: 'Changed again' }, bearer(liveKey))
    await visit(page, at.replace(two, one))
    await page.getByRole('button', { name: /^A merge into this one taken back.*Ticket 9/ }).click()
    await page.getByRole('button', { name: 'Revert to this…' }).click()
    await dialog.getByLabel('What the revert changes').getByText('Changed since', { exact: true }).waitFor()
    await dialog.getByLabel('Reason').fill('Ticket 10')
    await dialog.getByRole('button', { name: 'Revert', exact: true }).click()
    await page.getByRole('heading', { name: 'Changed since', level: 1, exact: true }).waitFor()
    expect(await stored(liveKey, one)).toMatchObject({ name: 'Changed since', external_id: 'one', contact: null })
    expect(await stored(liveKey, two)).toMatchObject({ id: two })
    expect(complaints).toEqual([])
  })
})
