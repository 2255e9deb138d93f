/**
 * README.md and every page of docs/ work when they are followed from top to bottom: see `page-shell.ts`. Of the commands that
 * need an account at Cloudflare, wrangler itself must know each option, or another test must run them.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { experimental_getWranglerCommands } from 'wrangler'
import { type Demo, demoVariables, seedDemo } from '../../../scripts/demo.ts'
import { blocksOf, commandsOf } from '../support/commands-of.ts'
import { filledIn, freePort, run, runPage } from '../support/page-shell.ts'

const README_LINES_MAX = 150

const docs = readdirSync('docs', { recursive: true, encoding: 'utf8' }).map((name) => path.join('docs', name))
const pages = ['README.md', ...docs.filter((name) => name.endsWith('.md')).sort()]
const folder = mkdtempSync(path.join(tmpdir(), 'roster-pages-'))

/** Safe on any machine: these touch nothing but the page's own folder and the Roster of this test. */
const RUN_HERE =
  /^(curl|export|printf|head|kill|until|node examples\/|npm run (import|operator) --|npm run tenant -- (?!move)|[A-Z_]+=\S)/
/** Commands that are not run here, and the test that covers each. */
const COVERED_BY: [command: RegExp, test: string][] = [
  [/^npm start$/, 'test/node/docs/pages.test.ts'],
  // This very run.
  [/^npm test$/, 'vitest.config.ts'],
  [/^npm test && npm run deploy\b/, 'test/node/commands/deploy.test.ts'],
  // A fork, and an older version on purpose.
  [/^git (remote add|fetch|checkout) /, 'test/node/commands/fork.test.ts'],
  [/^npm run deploy\b/, 'test/node/commands/deploy.test.ts'],
  [/^npm run (backup|restore|restored)\b/, 'test/node/commands/backup.test.ts'],
  // Needs several databases.
  [/^npm run tenant -- move\b/, 'test/node/commands/tenant.test.ts'],
  [/^npm run tail\b/, 'test/node/commands/tail.test.ts'],
  [/^npm pack \.\/packages\/client$/, 'test/node/sdk/roster-client.test.ts'],
  // Needs the ports of a second Worker.
  [/^curl (-X PUT )?http:\/\/127\.0\.0\.1:8787\/users\/ada/, 'test/node/apis/bound-worker.test.ts'],
]
/** Needs an account at Cloudflare, which no test has. */
const CLOUDFLARE = /^curl "https:\/\/api\.cloudflare\.com\/client\/v4\//

let server: ChildProcess
let origin: string
/** The output of `npm start` until it was ready. */
let welcome: string
/** The demo tenant of `npm start`. */
let demo: Demo

beforeAll(async () => {
  const port = await freePort()
  origin = `http://127.0.0.1:${port}`
  const stateFolder = path.join(folder, 'state')
  const env = { ...process.env, PORT: String(port), PERSIST_TO: stateFolder }
  server = spawn(process.execPath, ['scripts/start.mjs'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  welcome = await new Promise((resolve, reject) => {
    let output = ''
    for (const stream of [server.stdout, server.stderr]) {
      stream?.on('data', (text) => {
        output += text
        // The welcome ends with an empty line. A line of the log may follow.
        const [shown] = /^.*\nexport .*?\$ADMIN"\n\n/s.exec(output) ?? []
        if (shown) resolve(shown)
      })
    }
    server.on('exit', (code) => reject(new Error(`npm start ended with ${code}: ${output}`)))
  })
  const adminKey = /^export ADMIN=(\S+)$/m.exec(welcome)?.[1] ?? ''
  demo = await seedDemo({ origin, adminKey, stateFolder })
})

afterAll(async () => {
  server.removeAllListeners('exit')
  const ended = new Promise((resolve) => server.on('exit', resolve))
  server.kill('SIGTERM')
  await ended
  rmSync(folder, { recursive: true })
})

/** Makes the tenant that a reader with a fresh clone has: README.md gets that of `npm start`, each other page one of its own. */
async function readerOf(page: string): Promise<Record<string, string>> {
  const stateFolder = path.join(folder, `${page.replaceAll('/', '-')}.state`)
  mkdirSync(stateFolder)
  const own = page === 'README.md' ? demo : await seedDemo({ origin, adminKey: demo.adminKey, stateFolder })
  const access = { CF_ACCESS_CLIENT_ID: 'id.access', CF_ACCESS_CLIENT_SECRET: 'secret' }
  return { ...demoVariables(origin, own), ...access, ROSTER_ADMIN_KEY: demo.adminKey }
}

/** The commands of wrangler, as it registers them: a start of wrangler for the help of each would take a minute. */
const wrangler = experimental_getWranglerCommands()

/** Returns the options of the command that `npx wrangler versions deploy NEW@10% --name roster` begins with; null if there is none. */
function optionsOfWrangler(command: string): string[] | null {
  let node: typeof wrangler.registry | undefined = wrangler.registry
  let definition: (typeof node)['definition']
  for (const word of command.split(/\s+/).slice(2)) {
    const next: typeof node | undefined = node?.subtree.get(word)
    if (!next) break
    node = next
    definition = next.definition
  }
  // A group of commands is not a command.
  if (definition?.type !== 'command') return null
  const own = Object.entries(definition.args ?? {}).flatMap(([name, { alias }]) => [name, ...[alias ?? []].flat()])
  return [...own, ...Object.keys(wrangler.globalFlags)]
}

/** Returns an empty database with Roster's tables. */
function migratedDatabase(): DatabaseSync {
  const database = new DatabaseSync(':memory:')
  const files = readdirSync('migrations').filter((name) => name.endsWith('.sql'))
  for (const file of files.sort()) database.exec(readFileSync(`migrations/${file}`, 'utf8'))
  return database
}

// Side by side: a page waits for its processes, for deliveries and for leases most of the time.
it.concurrent.each(pages)('follows %s from top to bottom in one shell', async (page) => {
  const commands = commandsOf(readFileSync(page, 'utf8'))
  const isCovered = (text: string) => CLOUDFLARE.test(text) || COVERED_BY.some(([command]) => command.test(text))
  const runnable = commands.filter(({ text }) => RUN_HERE.test(text) && !isCovered(text))
  const ownFolder = path.join(folder, page.replaceAll('/', '-'))
  const { status, output } = await runPage(runnable, ownFolder, await readerOf(page))
  expect(status, output).toBe(0)
})

it.each(pages)('names the test of each command of %s that it does not run', (page) => {
  for (const { text } of commandsOf(readFileSync(page, 'utf8'))) {
    const [, test] = COVERED_BY.find(([command]) => command.test(text)) ?? []
    if (test !== undefined) {
      expect(existsSync(test), test).toBe(true)
    } else if (text.startsWith('npx wrangler ')) {
      const options = optionsOfWrangler(text)
      expect(options, text).not.toBeNull()
      const [, sql] = /--command "(.*)"/s.exec(text) ?? []
      // Throws if a table, a column or a function does not exist.
      if (sql !== undefined) migratedDatabase().prepare(sql)
      const withoutSql = text.replace(/--command ".*"/s, '--command')
      for (const [, option] of withoutSql.matchAll(/ --(?:no-)?([a-z-]+)/g)) expect(options, text).toContain(option)
    } else if (!CLOUDFLARE.test(text)) {
      expect(text).toMatch(RUN_HERE)
    }
  }
})

it('runs no page whose `export` would hide that its command failed', () => {
  for (const page of pages) expect(readFileSync(page, 'utf8'), page).not.toMatch(/^export \w+=("?)\$\(/m)
})

it('ends what npm start prints with the lines of README.md', () => {
  const block = blocksOf(readFileSync('README.md', 'utf8'), 'sh').find((text) => text.includes('export KEY=')) ?? ''
  const lines = block.replace('http://127.0.0.1:8787', origin)
  const printed = filledIn(lines, demoVariables(origin, demo)).replace(/^(export \w+)='(.*)'$/gm, '$1=$2')
  expect(printed).toContain(`export KEY=${demo.liveKey}\n`)
  expect(welcome.trimEnd().endsWith(printed.trimEnd()), `${welcome}\n---\n${printed}`).toBe(true)
})

it.each(pages)('finds every script, file and heading that %s names', (page) => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'))
  const text = readFileSync(page, 'utf8')
  for (const [, name = ''] of text.matchAll(/npm run ([a-z:]+)/g)) expect(scripts).toHaveProperty([name])
  for (const [, target = '', heading] of text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)) {
    const file = target === '' ? page : path.join(path.dirname(page), target)
    expect(existsSync(file), file).toBe(true)
    if (heading !== undefined) expect(anchorsOf(readFileSync(file, 'utf8')), file).toContain(heading)
  }
})

/** Returns the anchors that GitHub gives the headings of a page. */
function anchorsOf(markdown: string): string[] {
  const headings = [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading)
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

it('keeps README.md short enough to be read', () => {
  expect(readFileSync('README.md', 'utf8').split('\n').length - 1).toBeLessThanOrEqual(README_LINES_MAX)
})

it('shows the webhook receiver as it is run', () => {
  const receiver = readFileSync('examples/webhook-receiver.mjs', 'utf8')
  expect(blocksOf(readFileSync('docs/webhooks.md', 'utf8'), 'js')).toEqual([receiver])
})

it('compiles the bound Worker of docs/bound-workers.md, with the binding that its example has', async () => {
  const guide = readFileSync('docs/bound-workers.md', 'utf8')
  const config = readFileSync('examples/bound-worker/wrangler.toml', 'utf8')
  const binding = blocksOf(guide, 'toml').find((block) => block.includes('[[services]]')) ?? ''
  const settingOf = (text: string, name: string) => new RegExp(`\\b${name} = ("[^"]*"|\\[.*?\\])`).exec(text)?.[1]
  for (const name of ['binding', 'service', 'entrypoint', 'mode', 'scopes']) {
    expect(settingOf(binding, name), name).toBeDefined()
    expect(settingOf(binding, name), name).toBe(settingOf(config, name))
  }
  for (const name of ['tenantId', 'caller']) expect(settingOf(binding, name), name).toBeDefined()

  const snippet = blocksOf(guide, 'ts').find((block) => block.includes('env.ROSTER.')) ?? ''
  const source = `declare function refuse(reason: string): void\nexport async function example(env: Cloudflare.Env) {\n${snippet}return result.customer.id\n}\n`
  const file = 'examples/bound-worker/src/guide-example.ts'
  writeFileSync(file, source)
  try {
    const compiled = await run('node_modules/.bin/tsc', ['--noEmit', '--singleThreaded', '-p', 'examples/bound-worker'])
    expect(compiled).toEqual({ status: 0, output: '' })
  } finally {
    rmSync(file)
  }
})
