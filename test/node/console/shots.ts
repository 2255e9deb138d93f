/**
 * The screens and states that pictures are taken of.
 */
import type { Page } from 'playwright-core'
import type { Invented } from './invented.ts'

export interface Shot {
  at: string
  /** Is done before the page is opened. */
  before?: (page: Page) => Promise<unknown>
  /** Is done on the page before its picture is taken. */
  after?: (page: Page) => Promise<unknown>
}

const press = (page: Page, name: string | RegExp) => page.getByRole('button', { name }).first().click()

/** Returns what makes the API answer requests for the path with a failure. */
const answering = (path: string, status: number, body: object) => (page: Page) =>
  page.route(path, (route) => route.fulfill({ status, json: body, headers: { 'retry-after': '7' } }))

export function shotsOf({
  tenantId,
  emptyTenantId,
  endpointId,
  parent,
  long,
  twin,
  twinOf,
  merged,
}: Invented): Record<string, Shot> {
  const tenant = `/console/tenants/${tenantId}`
  const customer = `${tenant}/live/customers/${parent}`
  const file =
    'Kunden-Nr.;Company;E-Mail;Ort;Plan\nk1;Hansa Ölmühle;info@hansa.example;Bremen;pro\nk2;Ohne Adresse;keine;Kiel;\n'
  const pickFile = async (page: Page) => {
    const buffer = Buffer.from(file)
    await page.getByLabel('File of customers').setInputFiles({ name: 'kunden.csv', mimeType: 'text/csv', buffer })
    await page.getByText('Which column is which field?').waitFor()
  }
  return {
    find: { at: '/console/' },
    'find-all': { at: '/console/?q=muehl' },
    'find-nothing': { at: '/console/?q=nobody+has+this' },
    'find-tenant': { at: `/console/?tenant=${tenantId}&mode=live` },
    'find-test': { at: `/console/?tenant=${tenantId}&mode=test` },
    'find-failed': {
      at: '/console/?q=muehl',
      before: answering('**/admin/search**', 500, { message: 'Roster could not answer. Try again.', details: {} }),
      after: (page) => page.getByRole('alert').waitFor(),
    },
    navigation: { at: '/console/', after: (page) => press(page, /Open the navigation|Account/) },
    customer: { at: customer, after: (page) => press(page, /^Street/) },
    'customer-long': { at: `${tenant}/live/customers/${long}` },
    'customer-slow': {
      at: customer,
      // Never answered: the page waits until it is closed.
      before: (page) => page.route('**/v1/**', () => undefined),
      after: (page) => page.getByRole('status', { name: 'Loading' }).first().waitFor(),
    },
    'customer-past': { at: `${customer}?version=1` },
    'customer-revert': {
      at: customer,
      after: async (page) => {
        await press(page, /^Customer created/)
        await press(page, 'Revert to this…')
        await page.getByLabel('What the revert changes').waitFor()
      },
    },
    'customer-duplicates': { at: `${tenant}/live/customers/${twin}` },
    'merge-pick': { at: `${tenant}/live/customers/${twin}/merge` },
    merge: { at: `${tenant}/live/customers/${twin}/merge?into=${twinOf}` },
    'customer-unmerge': {
      at: `${tenant}/live/customers/${merged}`,
      after: async (page) => {
        await press(page, 'Take the merge back…')
        await page.getByLabel('Values that change').waitFor()
      },
    },
    'customer-undo': {
      at: customer,
      after: async (page) => {
        await press(page, /^Street/)
        await press(page, 'Undo this request…')
        await page.getByLabel('Reason').fill('Ticket 4940')
        await press(page, 'Look first: a dry run')
        await page.getByText(/nothing was changed yet|Nothing would change/).waitFor()
      },
    },
    'customer-erase': {
      at: customer,
      after: async (page) => {
        await press(page, 'More actions')
        await page.getByRole('menuitem', { name: /Erase/ }).click()
      },
    },
    edit: {
      at: `${customer}/edit`,
      after: async (page) => {
        await page.getByLabel('City').fill('Hamburg-Altona')
        await page.getByLabel('Reason').fill('Ticket 4931: moved')
        await press(page, 'As curl')
        await page.getByRole('button', { name: 'Save' }).scrollIntoViewIfNeeded()
      },
    },
    'edit-refused': {
      at: `${customer}/edit`,
      after: async (page) => {
        await page.getByLabel('E-mail address').fill('einkauf')
        await page.getByLabel('Reason').fill('Ticket 4932')
        await press(page, 'Save')
        await page.locator('[aria-invalid=true]').waitFor()
      },
    },
    tenants: { at: '/console/tenants' },
    'tenants-busy': {
      at: '/console/tenants',
      before: answering('**/admin/customers**', 429, { message: 'too many requests: wait 7 s', details: {} }),
      after: (page) => page.getByRole('alert').waitFor(),
    },
    'new-tenant': { at: '/console/tenants/new' },
    tenant: { at: tenant },
    'tenant-plan': { at: `${tenant}?tab=plan` },
    'tenant-tier': {
      at: `${tenant}?tab=plan`,
      after: async (page) => {
        await press(page, 'Change tier')
        await page.getByRole('dialog').getByText('growth', { exact: true }).click()
      },
    },
    'tenant-keys': { at: `${tenant}?tab=keys` },
    'tenant-new-key': { at: `${tenant}?tab=keys`, after: (page) => press(page, 'New key') },
    'tenant-endpoints': { at: `${tenant}?tab=webhooks` },
    'tenant-without-endpoints': { at: `/console/tenants/${emptyTenantId}?tab=webhooks` },
    'tenant-onboarding': { at: `${tenant}?tab=onboarding` },
    'tenant-suspend': { at: tenant, after: (page) => press(page, 'Suspend') },
    endpoint: { at: `${tenant}/live/endpoints/${endpointId}` },
    audit: { at: '/console/audit' },
    'audit-entry': {
      at: `/console/audit?tenant_id=${tenantId}&type=customer.updated`,
      after: (page) => page.getByText('Street Hafenstraße').click(),
    },
    import: { at: `/console/import?tenant=${tenantId}&mode=live` },
    'import-columns': { at: `/console/import?tenant=${tenantId}&mode=test`, after: pickFile },
    'import-results': {
      at: `/console/import?tenant=${tenantId}&mode=test`,
      after: async (page) => {
        await pickFile(page)
        await press(page, 'Try it: a dry run')
        await page.getByText('1 line rejected').waitFor()
      },
    },
    operators: { at: '/console/operators' },
    operator: { at: '/console/operators', after: (page) => page.getByText('Grace Hopper').click() },
    'new-operator': { at: '/console/operators', after: (page) => press(page, 'Add an operator') },
    health: { at: '/console/health' },
    missing: { at: '/console/tenants/nowhere/else' },
    // The last one: it ends the session.
    'session-ended': {
      at: `${customer}/edit`,
      after: async (page) => {
        await page.getByLabel('City').fill('Hamburg-Altona')
        await page.getByLabel('Reason').fill('Ticket 4931: moved')
        await page.context().clearCookies()
        await press(page, 'Save')
        await page.getByLabel('Key', { exact: true }).waitFor()
      },
    },
  }
}
