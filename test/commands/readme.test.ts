/**
 * Every command of README.md and docs/ works: what asks Roster is run as it stands there, by a real shell, against what `npm start`
 * serves; of what asks Cloudflare the real wrangler knows each option; everything else must name the test that runs it.
 */
import { type ChildProcess, type SpawnOptionsWithoutStdio, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { blocksOf, commandsOf } from '../support/commands-of.ts'

const pages = ['README.md', ...readdirSync('docs').map((name) => `docs/${name}`)].filter((name) => name.endsWith('.md'))
const folder = mkdtempSync(path.join(tmpdir(), 'roster-readme-'))
const ADDRESS = /https?:\/\/(127\.0\.0\.1:8787|roster[a-z-]*\.acme\.workers\.dev)/g

/** What is not run here, and where it is. */
const ELSEWHERE: [command: RegExp, by: string][] = [
  [/^npm start$/, 'test/commands/readme.test.ts'],
  // This very run.
  [/^npm test$/, 'vitest.config.ts'],
  [/^npm run deploy\b/, 'test/commands/deploy.test.ts'],
  [/^npm run tail\b/, 'test/commands/tail.test.ts'],
]
/** It asks an account of Cloudflare's, which no test has. */
const CLOUDFLARE = /^curl "https:\/\/api\.cloudflare\.com\/client\/v4\//

let server: ChildProcess
let origin: string
/** What `npm start` said. */
let welcome = ''
let demo: Record<'TENANT' | 'KEY' | 'ADMIN', string>

beforeAll(async () => {
  const port = await freePort()
  const env = { ...process.env, PORT: String(port), PERSIST_TO: path.join(folder, 'state') }
  server = spawn(process.execPath, ['scripts/start.mjs'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  await new Promise<void>((resolve, reject) => {
    for (const stream of [server.stdout, server.stderr]) {
      stream?.on('data', (text) => {
        welcome += text
        if (/Try:(.*\n){9}/.test(welcome)) resolve()
      })
    }
    server.on('exit', (code) => reject(new Error(`npm start ended with ${code}: ${welcome}`)))
  })
  origin = `http://127.0.0.1:${port}`
  const said = (what: string) => new RegExp(`${what} +(\\S+)`).exec(welcome)?.[1] ?? ''
  demo = { TENANT: said('tenant'), KEY: said('live key'), ADMIN: said('admin key') }
  writeFileSync(path.join(folder, 'customers.csv'), 'external_id,Company,Plan\nuser_8,Acme,pro\n')
  writeFileSync(path.join(folder, 'customers.ndjson'), '{"external_id": "user_9", "name": "Acme"}\n')
}, 90_000)

afterAll(async () => {
  server.removeAllListeners('exit')
  const ended = new Promise((resolve) => server.on('exit', resolve))
  server.kill('SIGTERM')
  await ended
  rmSync(folder, { recursive: true })
})

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number }
      probe.close(() => resolve(port))
    })
  })
}

/** By `sh`, in a folder of its own; a refused request fails, and so does a variable that nothing sets. */
function shell(command: string, variables: Record<string, string>) {
  const script = command
    .replaceAll(ADDRESS, origin)
    .replace(/^npm run (import|tenant) --/, (_, name) => `"${process.execPath}" "${path.resolve('scripts', name)}.mjs"`)
  const strict = `set -eu\ncurl() { command curl --fail-with-body -sS "$@"; }\n${script}`
  const { PATH = '' } = process.env
  const author = { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'user.email', GIT_CONFIG_VALUE_0: 'operator@example.com' }
  const env = { PATH, HOME: folder, ...author, ...demo, ROSTER_ADMIN_KEY: demo.ADMIN, ...variables }
  return run('sh', ['-c', strict], { cwd: folder, env })
}

/** Not `spawnSync`: while this process stood still, it would not see the server close its idle connections. */
function run(command: string, args: string[], options: SpawnOptionsWithoutStdio = {}) {
  const child = spawn(command, args, options)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
  return new Promise<{ status: number | null; output: string }>((resolve) =>
    child.on('close', (status) => resolve({ status, output })),
  )
}

async function ask(method: string, where: string, headers: Record<string, string>, body: object) {
  const init = { method, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) }
  const answer = await fetch(new URL(where, origin), init)
  expect(answer.ok).toBe(true)
  return (await answer.json()) as { id: string }
}

/** The demo tenant is suspended by one of the commands, and the next one needs it. */
function reactivate() {
  return ask('PUT', `/admin/customers/${demo.TENANT}`, { 'x-api-key': demo.ADMIN }, { status: 'active' })
}

function newCustomer(externalId: string) {
  return ask('POST', '/v1/customers', { authorization: `Bearer ${demo.KEY}` }, { external_id: externalId })
}

/** What wrangler says of the command that `npx wrangler versions deploy NEW@10% --name roster` begins with; empty when it knows none. */
async function helpOfWrangler(command: string): Promise<string> {
  const words = command.split(/\s+/).slice(1)
  const until = words.findIndex((word) => !/^[a-z0-9-]+$/.test(word))
  const args = words.slice(1, until < 0 ? undefined : until)
  const { output } = await run(process.execPath, ['node_modules/wrangler/bin/wrangler.js', ...args, '--help'])
  const known = /^wrangler( [a-z0-9-]+)+/.exec(output)?.[0]
  // A group of commands is none.
  return known && words.join(' ').startsWith(known) && !output.includes('\nCOMMANDS\n') ? output : ''
}

it('npm start prints curl lines that work', async () => {
  const lines = welcome.split('\n').filter((line) => line.startsWith('  curl '))
  expect(lines).toHaveLength(4)
  for (const line of lines) expect(await shell(line.trim(), {})).toMatchObject({ status: 0 })
})

it.each(pages)('every command of %s works, or names the test that runs it', async (page) => {
  for (const [at, command] of commandsOf(readFileSync(page, 'utf8')).entries()) {
    if (/^npx wrangler /.test(command)) {
      const help = await helpOfWrangler(command)
      expect(help, command).not.toBe('')
      for (const [option] of command.matchAll(/(?<= )--[a-z-]+/g)) {
        expect(help, command).toMatch(new RegExp(`${option}(?![\\w-])`))
      }
    } else if (/^(curl|npm run (import|tenant) --|export) /.test(command) && !CLOUDFLARE.test(command)) {
      // One of them erases it.
      const { id } = await newCustomer(`${page} ${at}`)
      const { status, output } = await shell(command, { ID: id })
      expect(status, `${command}\n${output}`).toBe(0)
      await reactivate()
    } else if (!CLOUDFLARE.test(command)) {
      const [, by = 'nothing'] = ELSEWHERE.find(([known]) => known.test(command)) ?? []
      expect(by, command).not.toBe('nothing')
      expect(existsSync(by), by).toBe(true)
    }
  }
})

it('npm knows every script the pages name', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'))
  for (const page of pages) {
    for (const [, name = ''] of readFileSync(page, 'utf8').matchAll(/npm run ([a-z:]+)/g))
      expect(scripts).toHaveProperty([name])
  }
})

it('the Worker the README binds compiles, with the binding its example has', async () => {
  const readme = readFileSync('README.md', 'utf8')
  const config = readFileSync('examples/bound-worker/wrangler.toml', 'utf8')
  const binding = blocksOf(readme, 'toml').find((block) => block.includes('[[services]]')) ?? ''
  const said = (text: string, name: string) => new RegExp(`\\b${name} = ("[^"]*"|\\[.*?\\])`).exec(text)?.[1]
  for (const name of ['binding', 'service', 'entrypoint', 'mode', 'scopes']) {
    expect(said(binding, name), name).toBeDefined()
    expect(said(binding, name), name).toBe(said(config, name))
  }
  for (const name of ['tenantId', 'caller']) expect(said(binding, name), name).toBeDefined()

  const snippet = blocksOf(readme, 'ts').find((block) => block.includes('env.ROSTER.')) ?? ''
  const source = `declare function refuse(reason: string): void\nexport async function example(env: Cloudflare.Env) {\n${snippet}return answer.customer.id\n}\n`
  const file = 'examples/bound-worker/src/readme-example.ts'
  writeFileSync(file, source)
  try {
    const compiled = await run('node_modules/.bin/tsc', ['--noEmit', '-p', 'examples/bound-worker'])
    expect(compiled).toEqual({ status: 0, output: '' })
  } finally {
    rmSync(file)
  }
})
