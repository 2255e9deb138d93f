/**
 * Runs a page of the documentation as its reader does: every command, from top to bottom, in one bash that ends at the first
 * command that fails. Nothing is done between two commands.
 */
import { type SpawnOptionsWithoutStdio, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import path from 'node:path'
import type { PageCommand } from './commands-of.ts'

export interface Run {
  /** The exit code; null if the command was killed. */
  status: number | null
  output: string
}

/** The addresses that pages show: Roster on this machine and in a Cloudflare account. */
const ROSTER_ADDRESS = /https?:\/\/(127\.0\.0\.1:8787|roster[a-z-]*\.acme\.workers\.dev)/g
/** The port of the receivers that pages start, which another process on this machine may use. */
const RECEIVER_PORT = /(?<=127\.0\.0\.1:|PORT=)3000\b/g
/** A page takes seconds. This is less than the time that Vitest gives a test, so that nothing keeps running after it. */
const PAGE_TIMEOUT_MS = 280_000
/** Not part of a clone. The admin key of `.dev.vars` would hide that a page does not set one. */
const NOT_LINKED = new Set(['.git', '.roster', '.wrangler', '.dev.vars', 'dist', 'coverage'])

/**
 * A refused request is a failed command, unless a comment on the page announces its status. Without
 * `npm_config_ignore_scripts` npm would look for new packages before each command.
 */
const PREAMBLE = `
set -euo pipefail
export npm_config_ignore_scripts=true npm_config_update_notifier=false
trap 'code=$?; kill $(jobs -p) 2> /dev/null || true; [ $code = 0 ] || echo "Failed: $COMMAND"' EXIT
curl() {
  if [ -z "\${HTTP_STATUS:-}" ]; then command curl --fail-with-body -sS "$@"; return; fi
  local status
  status=$(command curl -sS -o /dev/null -w '%{http_code}' "$@")
  [ "$status" = "$HTTP_STATUS" ] || { echo "HTTP $status, not the announced $HTTP_STATUS"; return 1; }
}
`

/**
 * Runs the commands of a page in `folder`, which is made to look like a clone of the repository.
 *
 * `variables` are what `npm start` and `npm run deploy` print. A page that begins with `export NAME=…` gets those that it
 * names, and no others. A page without such a line gets all of them.
 */
export async function runPage(
  commands: PageCommand[],
  folder: string,
  variables: Record<string, string>,
): Promise<Run> {
  const receiverPort = String(await freePort())
  mkdirSync(folder)
  for (const name of readdirSync('.')) {
    if (!NOT_LINKED.has(name)) symlinkSync(path.resolve(name), path.join(folder, name))
  }
  const isFilledIn = ({ text }: PageCommand) => filledIn(text, variables) !== text
  const lines = commands.map((command) => {
    const text = filledIn(command.text, variables)
      .replaceAll(ROSTER_ADDRESS, variables.ROSTER ?? '')
      .replaceAll(RECEIVER_PORT, receiverPort)
    const expected = command.status === null ? '' : `HTTP_STATUS=${command.status} `
    return `COMMAND=${quoted(command.text)}\n${expected}${text}`
  })
  const { PATH = '', NODE_COMPILE_CACHE = '' } = process.env
  // A reader's git knows an e-mail address; `npm run tenant -- create` uses it as the contact address.
  const git = { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'user.email', GIT_CONFIG_VALUE_0: 'operator@example.com' }
  const env = { PATH, NODE_COMPILE_CACHE, HOME: folder, ...git, ...(commands.some(isFilledIn) ? {} : variables) }
  return run('bash', ['-c', PREAMBLE + lines.join('\n')], { cwd: folder, env, detached: true }, PAGE_TIMEOUT_MS)
}

/**
 * Runs a command and returns its output and exit code, null if it was killed. With `timeoutMs`, which needs `detached`, its whole
 * process group is killed after that time. Not `spawnSync`: while this process stood still, it would not see the server close
 * its idle connections.
 */
export async function run(
  command: string,
  args: string[],
  options: SpawnOptionsWithoutStdio = {},
  timeoutMs?: number,
): Promise<Run> {
  const child = spawn(command, args, options)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
  const timer = timeoutMs && setTimeout(() => child.pid && process.kill(-child.pid, 'SIGKILL'), timeoutMs)
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve))
  if (timer) clearTimeout(timer)
  return { status, output }
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo
      probe.close(() => resolve(port))
    })
  })
}

/** Replaces the `…` of `export KEY=…` by the value that was printed, as the reader does. */
export function filledIn(text: string, variables: Record<string, string>): string {
  return text.replace(/^export (\w+)=…$/gm, (line, name) => {
    return name in variables ? `export ${name}=${quoted(variables[name] ?? '')}` : line
  })
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
