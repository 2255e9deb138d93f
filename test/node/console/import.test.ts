/**
 * Journeys of the console about imports and the audit, in Debian's Chromium against a served Roster. Each one ends in a look
 * at what the API then says.
 */
import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { CsvReader } from '../../../src/formats/files/csv.ts'
import { axeFindings, bearer, findingsOn, textOf, visit } from '../support/console.ts'
import { describeInBrowser, useConsole } from '../support/journeys.ts'
import { SERVED_ADMIN_KEY } from '../support/served.ts'

const ROWS = 3_000
/** Every 50th row has an address that is none, every 75th too many cells, and one at the end a quote that stays open. */
const WITHOUT_ADDRESS_EVERY = 50
const WITH_CELLS_EVERY = 75

/** Returns a file as a spreadsheet in German leaves it: semicolons, quotes, line breaks in cells, children before parents. */
function messyFile(): { text: string; good: number } {
  const lines = ['\ufeffKunden-Nr.;Company;Rechnung an;Ort;Konzern;Plan;Notiz']
  let good = 0
  for (let row = 1; row <= ROWS; row++) {
    const isBad = row % WITHOUT_ADDRESS_EVERY === 0 || row % WITH_CELLS_EVERY === 0
    if (!isBad) good++
    const address = row % WITHOUT_ADDRESS_EVERY === 0 ? `kein adresse ${row}` : `k${row}@example.com`
    const parent = row % 10 === 1 && row > 1 ? `K-${row + 1}` : ''
    const note = row % 7 === 0 ? '"zwei\nZeilen; und ein ""Zitat"""' : ''
    const more = row % WITH_CELLS_EVERY === 0 ? ';zu viel' : ''
    lines.push(`K-${row};"Müller & Söhne ${row}; Filiale";${address};Köln;${parent};pro;${note}${more}`)
    if (row % 100 === 0) lines.push('')
  }
  lines.push('K-9999;"offen')
  return { text: lines.join('\r\n'), good }
}

describeInBrowser('imports and the audit', () => {
  const roster = useConsole()

  const countOf = async (page: Page, name: string) =>
    Number((await page.locator(`[data-count="${name}"]`).textContent())?.replaceAll(',', ''))

  async function pick(page: Page, name: string, text: string): Promise<void> {
    await page.getByLabel('File of customers').setInputFiles({ name, mimeType: 'text/csv', buffer: Buffer.from(text) })
  }

  it('imports 3,000 messy rows: guesses columns, tries them, imports the good ones, and gives the others back', async () => {
    const { tenantId, liveKey } = await roster.tenant('Messy AG')
    const { page, complaints } = await roster.openAs(SERVED_ADMIN_KEY, `/console/import?tenant=${tenantId}&mode=live`)
    const { text, good } = messyFile()
    await pick(page, 'kunden.csv', text)
    const field = (column: string) => page.getByLabel(`Field of ${column}`)
    expect(await field('Kunden-Nr.').inputValue()).toBe('external_id')
    expect(await field('Company').inputValue()).toBe('name')
    expect(await field('Plan').inputValue()).toBe('metadata.plan')
    await field('Rechnung an').selectOption('email')
    await field('Ort').selectOption('address_city')
    await field('Konzern').selectOption('parent_customer_external_id')
    await field('Notiz').selectOption({ label: 'Leave it out' })

    await page.getByRole('button', { name: 'Try it: a dry run' }).click()
    await page.getByText('Dry run: nothing was changed yet').waitFor()
    expect(await countOf(page, 'created')).toBe(good)
    expect((await roster.api('GET', '/v1/customers?limit=1', null, bearer(liveKey))).body.pagination.total).toBe(0)

    await page.getByRole('button', { name: 'Import the good lines' }).click()
    await page.getByText('Imported', { exact: true }).waitFor()
    expect(await countOf(page, 'created')).toBe(good)
    expect(await countOf(page, 'error')).toBe(ROWS - good + 1)
    const download = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Download them' }).click()
    const file = await download
    expect(file.suggestedFilename()).toBe('kunden.rejects.csv')
    const rejects = await textOf(file)
    expect(rejects).toContain('import_error')

    // The export has them all, and one of them as it was in the file.
    const exported = String((await roster.api('GET', '/v1/customers/export', null, bearer(liveKey))).body)
    expect(exported.trim().split('\n')).toHaveLength(good)
    const { body } = await roster.api('GET', '/v1/customers/external/K-11', null, bearer(liveKey))
    expect(body).toMatchObject({ name: 'Müller & Söhne 11; Filiale', address_city: 'Köln', metadata: { plan: 'pro' } })
    const { body: parent } = await roster.api('GET', '/v1/customers/external/K-12', null, bearer(liveKey))
    expect(body.parent_customer_id).toBe(parent.id)

    // The corrected rows are imported from the file that the console gave back.
    await page.getByRole('button', { name: 'Another file' }).click()
    const corrected = rejects.replaceAll(/kein adresse (\d+)/g, 'k$1@example.com')
    await pick(page, 'kunden.rejects.csv', corrected)
    await field('Rechnung an').selectOption('email')
    await page.getByRole('button', { name: 'Try it: a dry run' }).click()
    await page.getByText('Dry run: nothing was changed yet').waitFor()
    expect(await countOf(page, 'created')).toBeGreaterThan(0)
    expect(complaints).toEqual([])
  })

  it('refuses a workbook and a file without a header before anything is sent', async () => {
    const { tenantId } = await roster.tenant('Mappe AG')
    const { page, requested } = await roster.openAs(SERVED_ADMIN_KEY, `/console/import?tenant=${tenantId}&mode=test`)
    await page
      .getByLabel('File of customers')
      .setInputFiles({ name: 'kunden.csv', mimeType: 'text/csv', buffer: Buffer.from([0x50, 0x4b, 0x03, 0x04]) })
    await page.getByText('export the sheet as CSV').waitFor()
    await pick(page, 'leer.csv', '')
    await page.getByText('name the columns in its first line').waitFor()
    expect(requested.filter((url) => url.includes('/v1/customers/import'))).toEqual([])
  })

  it('undoes an import, but for what was changed since, and says what is in the way', async () => {
    const { tenantId, company, testKey } = await roster.tenant()
    const kept = await roster.customer(testKey, { external_id: 'k1', name: 'Before' })
    const { page, complaints } = await roster.openAs(SERVED_ADMIN_KEY, `/console/import?tenant=${tenantId}&mode=test`)
    await pick(page, 'kunden.csv', 'external_id,name\nk1,Imported\nk2,Imported\nk3,Imported\n')
    await page.getByRole('button', { name: 'Try it: a dry run' }).click()
    await page.getByRole('button', { name: 'Import it' }).click()
    await page.getByText('Imported', { exact: true }).waitFor()
    const read = async (id: string) => (await roster.api('GET', `/v1/customers/${id}`, null, bearer(testKey))).body
    const { id: changed } = await read('external/k3')
    await roster.api('PATCH', `/v1/customers/${changed}`, { name: 'Corrected' }, bearer(testKey))

    await page.getByRole('button', { name: 'Undo this import' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Reason').fill('Wrong file')
    await dialog.getByRole('button', { name: 'Look first: a dry run' }).click()
    await dialog.getByText('Dry run: nothing was changed yet').waitFor()
    await dialog.getByRole('listitem').getByText('k3').waitFor()
    expect(await axeFindings(page)).toEqual([])
    expect((await read(kept)).name).toBe('Imported')
    await dialog.getByLabel('Type the name of the company').fill(company)
    await dialog.getByRole('button', { name: 'Undo 2 customers' }).click()
    await dialog.getByText(`Undone: 2 customers of ${company}`).waitFor()
    expect(await read(kept)).toMatchObject({ name: 'Before', status: 'published' })
    expect(await read(changed)).toMatchObject({ name: 'Corrected', status: 'published' })
    expect((await roster.api('GET', '/v1/customers?limit=1', null, bearer(testKey))).body.pagination.total).toBe(2)

    // The undo is one request, which the audit leads to and can undo as well.
    await dialog.getByRole('link', { name: 'See it in the audit' }).click()
    await page.getByText('Name Imported → Before').click()
    await page.getByText('Wrong file').first().waitFor()
    await page.getByRole('button', { name: 'Undo this request' }).waitFor()
    expect(complaints).toEqual([])
  })

  it('filters the audit in its address, opens an entry to its diff, and gives it as CSV', async () => {
    const { tenantId, liveKey } = await roster.tenant('Prüf & Söhne')
    const id = await roster.customer(liveKey, { name: '=1+1', address_city: 'Köln' })
    await roster.api(
      'PATCH',
      `/v1/customers/${id}`,
      { address_city: 'Bonn' },
      { ...bearer(liveKey), 'x-reason': 'ticket 4711' },
    )
    await roster.api('PUT', `/admin/customers/${tenantId}`, { tier: 'growth' })
    const { page } = await roster.openAs(SERVED_ADMIN_KEY, '/console/audit')
    await page.getByLabel('Tenant', { exact: true }).fill(tenantId)
    await page.getByLabel('What').selectOption('customer.updated')
    await page.getByText('City Köln → Bonn').click()
    await page.getByText('Kind', { exact: true }).waitFor()
    await page.getByText('ticket 4711').first().waitFor()
    const address = new URL(page.url())
    expect(address.searchParams.get('tenant_id')).toBe(tenantId)

    // The address alone shows a colleague the same.
    const { page: other } = await roster.openAs(SERVED_ADMIN_KEY, address.pathname + address.search)
    await other.getByText('Kind', { exact: true }).waitFor()

    await page.getByLabel('What').selectOption('')
    await page.getByText('Tier scale → growth').first().waitFor()
    const download = page.waitForEvent('download')
    await page.getByRole('button', { name: 'CSV' }).click()
    const csv = await textOf(await download)
    const reader = new CsvReader(',', 1_000_000)
    const [header, ...rows] = [...reader.push(csv.slice(1)), ...reader.end()].map(({ cells }) => cells)
    const { body } = await roster.api('GET', `/admin/audit?tenant_id=${tenantId}&limit=100`)
    const column = (name: string) => rows.map((cells) => cells[header?.indexOf(name) ?? -1])
    expect(column('type')).toEqual(body.items.map(({ type }: { type: string }) => type))
    expect(column('what')).toContain('City Köln → Bonn')
  })

  it('has nothing that axe finds, in both themes', async () => {
    const { tenantId, liveKey } = await roster.tenant('Axt')
    await roster.customer(liveKey, { name: 'Anna' })
    const { page } = await roster.openAs(SERVED_ADMIN_KEY, '/console/import')
    const screens: [address: string, shows: string][] = [
      ['/console/import', 'Axt'],
      [`/console/import?tenant=${tenantId}&mode=test`, 'Drop a file here'],
    ]
    expect(await findingsOn(page, screens)).toEqual({})
    await pick(page, 'kunden.csv', 'external_id,Mail,Plan\nk1,a@b.example,pro\nk2,nothing,free\n')
    await page.getByText('Which column is which field?').waitFor()
    expect(await axeFindings(page)).toEqual([])
    await page.getByRole('button', { name: 'Try it: a dry run' }).click()
    await page.getByText('1 line rejected').waitFor()
    expect(await axeFindings(page)).toEqual([])
    await page.getByRole('button', { name: 'Import the good lines' }).click()
    await page.getByText('Imported', { exact: true }).waitFor()
    expect(await axeFindings(page)).toEqual([])
    await visit(page, `/console/audit?tenant_id=${tenantId}`)
    await page.getByText('Customer created').first().click()
    await page.getByText('Kind', { exact: true }).waitFor()
    expect(await axeFindings(page)).toEqual([])
  })
})
