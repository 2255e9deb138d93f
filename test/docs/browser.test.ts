/**
 * The reference page in a real browser, Debian's Chromium, against a served Roster: it shows every operation, sends a
 * request that is answered, and asks nothing of any other host. Skipped, and said so, where there is no Chromium.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

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
const READY_TIMEOUT_MS = 60_000

const hasChromium = existsSync(CHROMIUM)
if (!hasChromium) {
  process.stderr.write(
    `\nSKIPPED: the test of /docs in a browser, because there is no ${CHROMIUM}. Install it (apt-get install chromium) or set CHROMIUM.\n\n`,
  )
}

// biome-ignore lint/suspicious/noExplicitAny: a document of many shapes, read by name
const openApi: any = JSON.parse(readFileSync('public/openapi.json', 'utf8'))
const operations = Object.entries<Record<string, { operationId: string }>>(openApi.paths).flatMap(([template, item]) =>
  Object.keys(item).map((method) => `${method.toUpperCase()}${template}`),
)

describe.skipIf(!hasChromium)('the reference page in a browser', () => {
  const state = mkdtempSync(path.join(tmpdir(), 'roster-docs-'))
  let origin = ''
  let server: ChildProcess | undefined
  let browser: Browser | undefined

  beforeAll(async () => {
    const port = await freePort()
    origin = `http://127.0.0.1:${port}`
    const migrate = spawnSync(
      process.execPath,
      [WRANGLER, 'd1', 'migrations', 'apply', 'DB', '--local', '--persist-to', state],
      { env: { ...process.env, CI: '1' }, encoding: 'utf8' },
    )
    if (migrate.status !== 0) throw new Error(`the migrations could not be applied: ${migrate.stdout}${migrate.stderr}`)
    server = serve(port, state)
    await answers(origin)
    browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_ARGS })
  }, READY_TIMEOUT_MS + 60_000)

  afterAll(async () => {
    await browser?.close()
    const ended = new Promise((resolve) => server?.once('exit', resolve))
    if (server?.kill('SIGTERM')) await ended
    rmSync(state, { recursive: true, force: true })
  })

  /** A page, every request it makes, and what it complains of. */
  async function open(at: string): Promise<{ page: Page; requested: string[]; complaints: string[] }> {
    if (!browser) throw new Error('there is no browser')
    const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } })
    const requested: string[] = []
    const complaints: string[] = []
    page.on('request', (request) => requested.push(request.url()))
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('console', (line) => line.type() === 'error' && complaints.push(line.text()))
    await page.goto(origin + at)
    return { page, requested, complaints }
  }

  function elsewhere(requested: string[]): string[] {
    return requested.filter((url) => !/^(?:data|blob):/.test(url) && new URL(url).hostname !== '127.0.0.1')
  }

  it('is where the page at / leads', async () => {
    const { page, requested } = await open('/')
    await page.getByRole('link', { name: 'Reference' }).click()
    await page.getByRole('heading', { name: 'Roster' }).first().waitFor()
    expect(new URL(page.url()).pathname).toBe('/docs')
    expect(elsewhere(requested)).toEqual([])
  })

  it('shows every operation of the document, and asks no other host for anything', async () => {
    const { page, requested, complaints } = await open('/docs')
    await page.locator(`[id$="${operations.at(-1)}"]`).waitFor({ state: 'attached' })
    const shown = await page.locator('[id]').evaluateAll((elements) => elements.map((element) => element.id))
    expect(operations.length).toBeGreaterThan(25)
    expect(operations.filter((operation) => !shown.some((id) => id.endsWith(`/${operation}`)))).toEqual([])
    expect(requested).toContain(`${origin}/openapi.json`)
    expect(elsewhere(requested)).toEqual([])
    expect(complaints).toEqual([])
  })

  it('sends a request with the key that is typed in, and shows what Roster answers', async () => {
    const key = await newKey(origin)
    const { page, requested, complaints } = await open('/docs#tag/customers-v1/GET/v1/customers')
    await page.getByRole('button', { name: 'Test Request (get /v1/customers)', exact: true }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByPlaceholder('Token').fill(key)
    const answered = page.waitForResponse((response) => new URL(response.url()).pathname.endsWith('/v1/customers'))
    await dialog
      .getByRole('button', { name: /^Send\b/ })
      .last()
      .click()
    const response = await answered
    expect(new URL(response.url()).pathname).toBe('/v1/customers')
    expect([response.status(), (await response.json()).pagination?.total]).toEqual([200, 0])
    await dialog.getByText('200 OK').first().waitFor()
    expect(elsewhere(requested)).toEqual([])
    expect(complaints).toEqual([])
  })

  it('may load nothing from elsewhere, be framed by nobody, and is never taken for another type', async () => {
    for (const at of ['/', '/docs', '/openapi.json', '/scalar.js']) {
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
