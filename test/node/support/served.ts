/**
 * Serves a Roster as `npm start` does, with wrangler and local bindings, and opens it in Debian's Chromium. For tests of what
 * a browser shows.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { localDatabase } from '../../../scripts/backup/database.mjs'

/** The shell without windows takes half of what the main process of the whole browser does. */
const CHROMIUMS = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium']
const CHROMIUM = process.env.CHROMIUM ?? CHROMIUMS.find(existsSync) ?? '/usr/bin/chromium'
export const CHROMIUM_OPTIONS = {
  executablePath: CHROMIUM,
  args: [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    // A process for each tab, each site and the graphics card protects from what no test opens, and takes half of the time.
    '--renderer-process-limit=1',
    '--disable-site-isolation-trials',
    '--in-process-gpu',
    '--disable-software-rasterizer',
  ],
}
const WRANGLER = path.resolve('node_modules/wrangler/bin/wrangler.js')
export const READY_TIMEOUT_MS = 120_000

export const SERVED_ADMIN_KEY = 'browser-admin-key-0123456789abcdef'

export interface Served {
  origin: string
  browser: Browser
  close(): Promise<void>
}

/** Returns whether there is a Chromium. If not, says that the tests of `subject` are skipped. */
export function hasChromium(subject: string): boolean {
  if (existsSync(CHROMIUM)) return true
  process.stderr.write(
    `\nSKIPPED: the test of ${subject} in a browser, because there is no ${CHROMIUM}. Install it (apt-get install chromium-headless-shell) or set CHROMIUM.\n\n`,
  )
  return false
}

/** Serves an empty Roster on a free port, and starts the browser. */
export async function serveToBrowser(): Promise<Served> {
  const roster = await serveRoster()
  const browser = await chromium.launch(CHROMIUM_OPTIONS)
  return {
    origin: roster.origin,
    browser,
    async close() {
      await browser.close()
      await roster.close()
    },
  }
}

/** Serves an empty Roster on a free port. */
export async function serveRoster(): Promise<{ origin: string; close(): Promise<void> }> {
  const state = mkdtempSync(path.join(tmpdir(), 'roster-served-'))
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  await migrate(state)
  const server = serve(port, state)
  await answers(origin)
  return {
    origin,
    async close() {
      const ended = new Promise((resolve) => server.once('exit', resolve))
      if (server.kill('SIGTERM')) await ended
      rmSync(state, { recursive: true, force: true })
    },
  }
}

/** Applies the migrations where `wrangler dev` looks for its D1. */
async function migrate(state: string): Promise<void> {
  const files = readdirSync('migrations').filter((name) => name.endsWith('.sql'))
  const texts = files.sort().map((name) => readFileSync(`migrations/${name}`, 'utf8'))
  const database = await localDatabase(0, state)
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
    `--var=ADMIN_KEYS:${SERVED_ADMIN_KEY}`,
    '--var=SIGNING_SECRETS:browser-signing-secret-0123456789abcdef',
    '--var=ALLOW_LOCAL_WEBHOOKS:true',
    '--var=DEPLOYED:false',
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
