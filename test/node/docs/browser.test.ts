/**
 * Opens the reference page in a real browser, Debian's Chromium, against a served Roster: it lists every operation, finds
 * them, sends a request that is answered, and requests nothing from any other host. Skipped with a message if there is no
 * Chromium.
 */
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { describeInBrowser, useBrowser } from '../support/journeys.ts'
import { READY_TIMEOUT_MS, SERVED_ADMIN_KEY } from '../support/served.ts'

// biome-ignore lint/suspicious/noExplicitAny: a document of many shapes, read by name
type Json = any

const openApi: Json = JSON.parse(readFileSync('public/openapi.json', 'utf8'))
/** The titles of the operations, as the page lists them. */
const titles = Object.values<Json>(openApi.paths).flatMap((item) =>
  Object.values<Json>(item).map(({ summary }) => summary),
)
const eventTypes = Object.keys(openApi.webhooks)
/** The operations that a search must find, and what to search for. */
const SEARCHES = {
  suspend: 'Change, suspend or reactivate a tenant',
  rotate: 'Rotate an API key',
  merge: 'Change a customer by a merge patch',
}
/** A third of what the page may have. */
const SCRIPT_BYTES_MAX = 400_000

describeInBrowser('the reference page in a browser', () => {
  const { origin, newPage } = useBrowser()

  /** Opens a page. Returns it with every request that it makes and every error that it logs. */
  async function open(
    at: string,
    demoKeys: object | null = null,
  ): Promise<{ page: Page; requested: string[]; complaints: string[] }> {
    const page = await newPage()
    await page.setViewportSize({ width: 1400, height: 1000 })
    page.setDefaultTimeout(READY_TIMEOUT_MS)
    const requested: string[] = []
    const complaints: string[] = []
    page.on('request', (request) => requested.push(request.url()))
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('console', (line) => line.type() === 'error' && complaints.push(line.text()))
    await page.route('**/demo-keys.json', (route) => route.fulfill({ json: demoKeys }))
    await page.goto(origin + at)
    return { page, requested, complaints }
  }

  function elsewhere(requested: string[]): string[] {
    return requested.filter((url) => !/^(?:data|blob):/.test(url) && new URL(url).hostname !== '127.0.0.1')
  }

  /** Returns the titles in the navigation of the page. */
  async function listed(page: Page): Promise<string[]> {
    await page.locator('.nav-bar-path').first().waitFor({ state: 'attached' })
    const texts = await page
      .locator('.nav-bar-path')
      .evaluateAll((links) => links.map((link) => link.textContent ?? ''))
    return texts.map((text) => text.replaceAll(/\s+/g, ' ').trim())
  }

  it('is linked from the page at /', async () => {
    const { page, requested } = await open('/')
    await page.getByRole('link', { name: 'Reference' }).click()
    await page.locator('#api-title').waitFor()
    expect(new URL(page.url()).pathname).toBe('/docs')
    expect(elsewhere(requested)).toEqual([])
  })

  it('lists every operation and every webhook by its type, and requests nothing from another host', async () => {
    const { page, requested, complaints } = await open('/docs')
    const webhooks = eventTypes.map((type) => `${type} (Webhook)`)
    expect(titles.length).toBeGreaterThan(25)
    expect((await listed(page)).toSorted()).toEqual([...titles, ...webhooks].toSorted())
    expect(requested).toContain(`${origin}/openapi.json`)
    expect(elsewhere(requested)).toEqual([])
    expect(complaints).toEqual([])
  })

  it('finds operations by the words of their descriptions', async () => {
    const { page } = await open('/docs')
    for (const [word, title] of Object.entries(SEARCHES)) {
      await page.locator('#nav-bar-search').fill(word)
      await page.locator('.nav-bar-path', { hasText: 'Export all customers' }).waitFor({ state: 'detached' })
      expect(await listed(page)).toContain(title)
    }
  })

  it('reads with the demo key when the reader tries the first operation', async () => {
    const key = await newKey(origin)
    const { page, requested, complaints } = await open('/docs', { key })
    const [first] = await listed(page)
    await page.locator('.nav-bar-path').first().click()
    const answered = page.waitForResponse((response) => new URL(response.url()).pathname.startsWith('/v1/'))
    await page.locator('.btn-execute').click()
    const response = await answered
    expect([first, response.request().method(), response.url()]).toEqual([
      'List customers',
      'GET',
      `${origin}/v1/customers`,
    ])
    expect([response.status(), (await response.json()).pagination?.total]).toEqual([200, 0])
    await page.getByText('(200)').first().waitFor()
    expect(elsewhere(requested)).toEqual([])
    expect(complaints).toEqual([])
  })

  it('offers no request where Roster is the sender', async () => {
    const { page } = await open('/docs#?route=post-customer.created')
    await page.getByRole('heading', { name: 'customer.created' }).waitFor()
    expect(await page.locator('.btn-execute').count()).toBe(0)
  })

  it('has scripts that are small', () => {
    const scripts = ['public/openapi-explorer.js', 'public/docs.js'].map((file) => gzipSync(readFileSync(file)).length)
    expect(scripts[0]).toBeGreaterThan(50_000)
    expect(scripts.reduce((sum, bytes) => sum + bytes)).toBeLessThan(SCRIPT_BYTES_MAX)
  })

  it('forbids other origins, frames, and other content types', async () => {
    for (const at of ['/', '/docs', '/openapi.json', '/openapi-explorer.js', '/docs.js', '/demo-keys.json']) {
      const { headers } = await fetch(origin + at)
      const policy = headers.get('content-security-policy') ?? ''
      expect([at, policy]).toEqual([at, expect.stringContaining("default-src 'none'; script-src 'self'")])
      expect(policy).toContain("connect-src 'self'")
      expect(policy).toContain("frame-ancestors 'none'")
      expect(policy).not.toMatch(/https?:|unsafe-eval|\*/)
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('referrer-policy')).toBe('no-referrer')
      expect(headers.get('strict-transport-security')).toBe('max-age=31536000')
    }
  })
})

async function newKey(origin: string): Promise<string> {
  const post = async (at: string, body: object) => {
    const answer = await fetch(`${origin}/admin/customers${at}`, {
      method: 'POST',
      headers: { 'x-api-key': SERVED_ADMIN_KEY, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!answer.ok) throw new Error(`POST /admin/customers${at} answered ${answer.status} ${await answer.text()}`)
    return (await answer.json()) as Record<string, string>
  }
  const tenant = await post('', { company_name: 'Browser', contact_email: 'ops@example.com' })
  const { key } = await post(`/${tenant.customer_id}/keys`, {})
  if (!key) throw new Error('no key was made')
  return key
}
