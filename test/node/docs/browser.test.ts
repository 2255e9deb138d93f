/**
 * Opens the reference page in a real browser, Debian's Chromium, against a served Roster: it lists every operation, finds
 * them, sends a request that is answered, and requests nothing from any other host. Skipped with a message if there is no
 * Chromium.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { localDatabase } from '../../../scripts/backup/database.mjs'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const CHROMIUM_ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const WRANGLER = path.resolve('node_modules/wrangler/bin/wrangler.js')
const ADMIN_KEY = 'browser-admin-key-0123456789abcdef'
const READY_TIMEOUT_MS = 120_000

const hasChromium = existsSync(CHROMIUM)
if (!hasChromium) {
  process.stderr.write(
    `\nSKIPPED: the test of /docs in a browser, because there is no ${CHROMIUM}. Install it (apt-get install chromium) or set CHROMIUM.\n\n`,
  )
}

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

describe.skipIf(!hasChromium)('the reference page in a browser', () => {
  const state = mkdtempSync(path.join(tmpdir(), 'roster-docs-'))
  let origin = ''
  let server: ChildProcess | undefined
  let browser: Browser | undefined

  beforeAll(async () => {
    const port = await freePort()
    origin = `http://127.0.0.1:${port}`
    await migrate(state)
    server = serve(port, state)
    await answers(origin)
    browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_ARGS })
  })

  afterAll(async () => {
    await browser?.close()
    const ended = new Promise((resolve) => server?.once('exit', resolve))
    if (server?.kill('SIGTERM')) await ended
    rmSync(state, { recursive: true, force: true })
  })

  /** Opens a page. Returns it with every request that it makes and every error that it logs. */
  async function open(
    at: string,
    demoKeys: object | null = null,
  ): Promise<{ page: Page; requested: string[]; complaints: string[] }> {
    if (!browser) throw new Error('there is no browser')
    const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } })
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

/** Applies the migrations where `wrangler dev` looks for its D1. */
async function migrate(state: string): Promise<void> {
  const files = readdirSync('migrations').filter((name) => name.endsWith('.sql'))
  const texts = files.sort().map((name) => readFileSync(`migrations/${name}`, 'utf8'))
  const database = await localDatabase('DB', state)
  for (const text of texts) await database.batch(text.split('--> statement-breakpoint'))
  await database.close()
}

function serve(port: number, state: string): ChildProcess {
  const args = [
    'dev',
    '--ip=127.0.0.1',
    `--port=${port}`,
    '--inspector-port=0',
    `--persist-to=${state}`,
    `--var=ADMIN_KEYS:${ADMIN_KEY}`,
    '--var=SIGNING_SECRETS:browser-signing-secret-0123456789abcdef',
    '--show-interactive-dev-session=false',
    '--log-level=error',
  ]
  const env = { ...process.env, CLOUDFLARE_CF_FETCH_ENABLED: 'false' }
  return spawn(process.execPath, [WRANGLER, ...args], { stdio: 'ignore', env })
}

async function answers(origin: string): Promise<void> {
  const deadlineMs = Date.now() + READY_TIMEOUT_MS
  while (Date.now() < deadlineMs) {
    const isUp = await fetch(`${origin}/healthz`).then(
      (answer) => answer.ok,
      () => false,
    )
    if (isUp) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  throw new Error(`the server did not answer at ${origin} within ${READY_TIMEOUT_MS / 1000} s`)
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

async function newKey(origin: string): Promise<string> {
  const post = async (at: string, body: object) => {
    const answer = await fetch(`${origin}/admin/customers${at}`, {
      method: 'POST',
      headers: { 'x-api-key': ADMIN_KEY, 'content-type': 'application/json' },
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
