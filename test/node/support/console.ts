/**
 * The console in a browser, for tests: a served Roster with tenants and operators of its own, made through the API.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { text } from 'node:stream/consumers'
import type { BrowserContext, Download, Page, ViewportSize } from 'playwright-core'
import { READY_TIMEOUT_MS, SERVED_ADMIN_KEY } from './served.ts'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

// biome-ignore lint/suspicious/noExplicitAny: answers of many shapes, read by name
type Json = any

interface Answer {
  status: number
  body: Json
  headers: Headers
}

interface TestTenant {
  tenantId: string
  company: string
  /** API keys with all scopes. */
  liveKey: string
  testKey: string
}

interface Look {
  viewport?: ViewportSize
  colorScheme?: 'light' | 'dark'
}

interface Opened {
  page: Page
  context: BrowserContext
  /** Every request of the page. */
  requested: string[]
  /** Errors of scripts, and what the policy of the page has blocked. */
  complaints: string[]
}

export interface ConsoleTest {
  origin: string
  /** Sends a request with the admin key, unless `headers` name another credential. */
  api(method: string, path: string, body?: object | null, headers?: Record<string, string>): Promise<Answer>
  tenant(company?: string): Promise<TestTenant>
  /** Makes a customer, and returns its id. */
  customer(key: string, fields: object): Promise<string>
  /** Makes an operator with a key of its own. */
  operator(role: string, name?: string, email?: string): Promise<{ operatorId: string; key: string; email: string }>
  /** Opens an address of the console as somebody who is not signed in. */
  open(at: string, look?: Look): Promise<Opened>
  /** As `open`, in a session that was made with the operator's key. */
  openAs(key: string, at: string, look?: Look): Promise<Opened>
}

/** The cookie that is a session. */
export const SESSION_COOKIE = '__Host-roster-session'

const WIDE = { width: 1440, height: 900 }

/** Returns what a test of the console does with the Roster at the origin. `newPage` returns a page that nobody has used yet. */
export function consoleAt(origin: string, newPage: () => Promise<Page>): ConsoleTest {
  async function api(method: string, path: string, body?: object | null, headers?: Record<string, string>) {
    const response = await fetch(origin + path, {
      method,
      headers: {
        ...(headers ?? { 'x-api-key': SERVED_ADMIN_KEY }),
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    const content = await response.text()
    const isJson = response.headers.get('content-type')?.startsWith('application/json') && content !== ''
    return { status: response.status, body: isJson ? JSON.parse(content) : content, headers: response.headers }
  }

  /** Throws if the request is refused: a test that needs it cannot go on. */
  async function must(method: string, path: string, body?: object, headers?: Record<string, string>): Promise<Json> {
    const answer = await api(method, path, body, headers)
    if (answer.status >= 300)
      throw new Error(`${method} ${path} answered ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }

  async function open(at: string, look: Look = {}, session?: string): Promise<Opened> {
    const page = await newPage()
    const context = page.context()
    if (session) {
      const cookie = { name: SESSION_COOKIE, value: session, url: origin.replace('http:', 'https:') }
      await context.addCookies([{ ...cookie, secure: true, httpOnly: true, sameSite: 'Strict' }])
    }
    page.setDefaultTimeout(READY_TIMEOUT_MS)
    await page.setViewportSize(look.viewport ?? WIDE)
    await page.emulateMedia({ colorScheme: look.colorScheme ?? 'light' })
    const requested: string[] = []
    const complaints: string[] = []
    page.on('request', (request) => requested.push(request.url()))
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('console', (line) => {
      // A refused request is logged too; the journey says which refusals it expects.
      if (line.type() === 'error' && !line.text().startsWith('Failed to load resource')) complaints.push(line.text())
    })
    await page.goto(origin + at)
    return { page, context, requested, complaints }
  }

  return {
    origin,
    api,
    open: (at, look) => open(at, look),
    async tenant(company = `Tenant ${randomUUID()}`) {
      const { customer_id: tenantId } = await must('POST', '/admin/customers', {
        company_name: company,
        contact_email: 'ops@example.com',
        tier: 'scale',
      })
      const keyOf = async (mode: string) =>
        (await must('POST', `/admin/customers/${tenantId}/keys`, { name: `${mode} key`, mode })).key as string
      const [liveKey, testKey] = await Promise.all([keyOf('live'), keyOf('test')])
      return { tenantId, company, liveKey, testKey }
    },
    async customer(key, fields) {
      const body = { external_id: randomUUID(), ...fields }
      return (await must('POST', '/v1/customers', body, bearer(key))).id
    },
    async operator(role, name = 'Somebody', email = `${randomUUID()}@example.com`) {
      const { operator_id: operatorId } = await must('POST', '/admin/operators', { name, email, role })
      const { key } = await must('POST', `/admin/operators/${operatorId}/keys`, {})
      return { operatorId, key, email }
    },
    async openAs(key, at, look) {
      const { headers } = await api('POST', '/admin/session', null, { 'x-api-key': key })
      const session = /=([^;]+)/.exec(headers.get('set-cookie') ?? '')?.[1]
      return open(at, look, session)
    },
  }
}

/** Goes to an address as a link of the console does, without loading the page anew. */
export async function visit(page: Page, at: string): Promise<void> {
  await page.evaluate((to) => window.history.pushState({}, '', to), at)
}

/** Types the key into the sign-in. */
export async function signIn(page: Page, key: string): Promise<void> {
  const field = page.getByLabel('Key', { exact: true })
  await field.fill(key)
  await field.press('Enter')
  await field.waitFor({ state: 'detached' })
}

/**
 * Returns what axe finds wrong with the page as it is, in both themes: a line each, with the element. Nothing but colours
 * depends on the theme. It begins with the one that is shown and leaves the other one: each switch draws the whole page anew.
 */
export async function axeFindings(page: Page): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(AXE)
  const findings: string[] = []
  const isDark = (await page.locator('html[data-mode=dark]').count()) > 0
  for (const theme of isDark ? (['dark', 'light'] as const) : (['light', 'dark'] as const)) {
    await page.emulateMedia({ colorScheme: theme })
    await page.locator(`html[data-mode=${theme}]`).waitFor()
    const found = await page.evaluate(
      async (only): Promise<string[]> => {
        // Colours are looked at as they are at the end of their transitions.
        for (const animation of document.getAnimations()) {
          if (animation instanceof window.CSSTransition) animation.finish()
        }
        const { violations } = await window.axe.run(document, {
          ...(only && { runOnly: only }),
          // Without these, axe describes all that is right, and reads the style sheets once more.
          resultTypes: ['violations'],
          preload: false,
          // The sheets of Kumo keep focus guards at the edges of the page, outside of landmarks.
          rules: { region: { enabled: false } },
        })
        return violations.flatMap(({ id, nodes }: Json) =>
          nodes.map(({ html }: Json) => `${id}: ${html.slice(0, 200)}`),
        )
      },
      (theme === 'dark') === isDark ? null : ['color-contrast'],
    )
    findings.push(...found.map((line) => `${theme}: ${line}`))
  }
  return findings
}

/** Visits each address, waits for the text, and returns what axe finds there, by address. */
export async function findingsOn(
  page: Page,
  screens: readonly (readonly [address: string, shows: string])[],
): Promise<Record<string, string[]>> {
  const findings: Record<string, string[]> = {}
  for (const [address, shows] of screens) {
    await visit(page, address)
    await page.getByText(shows).first().waitFor()
    await page.getByRole('status', { name: /Loading|Searching/ }).waitFor({ state: 'detached' })
    const found = await axeFindings(page)
    if (found.length > 0) findings[address] = found
  }
  return findings
}

/** Returns the text of a file that the page gives. */
export async function textOf(download: Download): Promise<string> {
  return text(await download.createReadStream())
}

/** Returns the headers of a request with a tenant's key. */
export function bearer(key: string): { authorization: string } {
  return { authorization: `Bearer ${key}` }
}

/** Returns the requests that went to another origin than the Roster's. */
export function elsewhere(requested: readonly string[], origin: string): string[] {
  return requested.filter((url) => !/^(?:data|blob):/.test(url) && !url.startsWith(`${origin}/`))
}
