/**
 * Every command of README.md and docs/ works: what asks Roster is run as it stands there, by a real shell, against what `npm start`
 * serves; of what asks Cloudflare the real wrangler knows each option; everything else must name the test that runs it.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
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
  server = spawn(process.execPath, ['scripts/start.mjs'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise<void>((resolve, reject) => {
    server.stdout?.on('data', (text) => {
      welcome += text
      if (/Try:(.*\n){9}/.test(welcome)) resolve()
    })
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
  const { status, stdout, stderr } = spawnSync('sh', ['-c', strict], { cwd: folder, env, encoding: 'utf8' })
  return { status, output: stdout + stderr }
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

/** `versions deploy` of `npx wrangler versions deploy NEW@10% --name roster`, as long as wrangler knows it as a command. */
function helpOfWrangler(command: string): string {
  const words = command.split(/\s+/).slice(2)
  const until = words.findIndex((word) => !/^[a-z][a-z0-9-]*$/.test(word))
  for (let count = until < 0 ? words.length : until; count > 0; count--) {
    const args = ['node_modules/wrangler/bin/wrangler.js', ...words.slice(0, count), '--help']
    const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    if (stdout.startsWith(`wrangler ${words.slice(0, count).join(' ')}`)) return stdout
  }
  return ''
}

it('npm start prints curl lines that work', () => {
  const lines = welcome.split('\n').filter((line) => line.startsWith('  curl '))
  expect(lines).toHaveLength(4)
  for (const line of lines) expect(shell(line.trim(), {})).toMatchObject({ status: 0 })
})

it.each(pages)(
  'every command of %s works, or names the test that runs it',
  async (page) => {
    const { id } = await newCustomer(page)
    for (const command of commandsOf(readFileSync(page, 'utf8'))) {
      if (/^npx wrangler /.test(command)) {
        const help = helpOfWrangler(command)
        expect(help, command).not.toBe('')
        for (const [option] of command.matchAll(/(?<= )--[a-z-]+/g))
          expect(help, command).toMatch(new RegExp(`${option}(?![\\w-])`))
      } else if (/^(curl [^|]*http:\/\/127\.0\.0\.1:8787|npm run (import|tenant) -- |export )/.test(command)) {
        const { status, output } = shell(command, { ID: id })
        expect(status, `${command}\n${output}`).toBe(0)
        await reactivate()
      } else if (!CLOUDFLARE.test(command)) {
        const [, by = 'nothing'] = ELSEWHERE.find(([known]) => known.test(command)) ?? []
        expect(`${command}: run by ${existsSync(by) ? by : 'nothing'}`).toBe(`${command}: run by ${by}`)
        expect(by, command).not.toBe('nothing')
      }
    }
  },
  60_000,
)

it('npm knows every script the pages name', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'))
  for (const page of pages) {
    for (const [, name = ''] of readFileSync(page, 'utf8').matchAll(/npm run ([a-z:]+)/g))
      expect(scripts).toHaveProperty([name])
  }
})

it('the Worker the README binds compiles, with the binding its example has', () => {
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
    const { status, stdout } = spawnSync('node_modules/.bin/tsc', ['--noEmit', '-p', 'examples/bound-worker'], {
      encoding: 'utf8',
    })
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
  } finally {
    rmSync(file)
  }
})
