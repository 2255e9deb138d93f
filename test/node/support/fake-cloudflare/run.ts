/** Runs `npm run deploy` as a process against a fake account. */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { FakeCloudflare } from './account.ts'

const script = path.resolve('scripts/deploy/main.mjs')
const SMALL_WORKER = `export default { fetch: () => new Response() }
export class TenantGate {}
export class AdminGuard {}
export class Onboarding {}
`
const TOKEN = { CLOUDFLARE_API_TOKEN: 'test-token' }

/** The environment of wrangler: no login, no settings and no account of the developer who runs the tests. */
export function environmentOf(account: FakeCloudflare, home: string, env: Record<string, string> = TOKEN) {
  const { PATH = '', NODE_COMPILE_CACHE = '' } = process.env
  return {
    PATH,
    NODE_COMPILE_CACHE,
    HOME: home,
    XDG_CONFIG_HOME: home,
    WRANGLER_HIDE_BANNER: 'true',
    WRANGLER_SEND_METRICS: 'false',
    CLOUDFLARE_API_BASE_URL: account.origin,
    ...env,
  }
}

/** Returns the process id, the exit code, everything that was printed, and the changes in the account. `home` is an empty folder. */
export async function deployTo(
  account: FakeCloudflare,
  home: string,
  args: string[] = [],
  options: { cwd?: string; env?: Record<string, string> } = {},
) {
  const child = spawn(process.execPath, [script, '--url', account.origin, ...args], {
    cwd: options.cwd ?? process.cwd(),
    env: environmentOf(account, home, options.env),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
  const code = await new Promise((resolve) => child.on('close', resolve))
  return { pid: child.pid, code, output, changes: account.changes.splice(0) }
}

/**
 * Makes a project in `home` with the configuration and the migrations of Roster and a Worker of one line, for tests that look at
 * what a deployment does to an account: building Roster and hashing its assets would cost more than all else. Returns its folder.
 */
export function smallProject(home: string): string {
  const folder = mkdtempSync(path.join(home, 'project-'))
  const config = readFileSync('wrangler.toml', 'utf8')
    .replace(/^main = .*$/m, 'main = "worker.mjs"')
    .replace(/^\[build\]\n(.+\n)+/m, '')
  writeFileSync(path.join(folder, 'wrangler.toml'), config)
  writeFileSync(path.join(folder, 'worker.mjs'), SMALL_WORKER)
  mkdirSync(path.join(folder, 'public'))
  writeFileSync(path.join(folder, 'public', 'index.html'), '<p>Roster')
  for (const name of ['migrations', 'node_modules']) symlinkSync(path.resolve(name), path.join(folder, name))
  return folder
}
