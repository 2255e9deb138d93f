/** Tests `npm run operator` as a process of its own against a served Roster. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { CLUSTER_ADMIN_KEY, type Cluster, startCluster } from '../support/cluster.ts'

const script = path.resolve('scripts/operator.mjs')
/** A folder without .dev.vars. */
const folder = mkdtempSync(path.join(tmpdir(), 'roster-operator-'))
let cluster: Cluster
let url: string

beforeAll(async () => {
  cluster = await startCluster({ edges: 1 })
  url = cluster.edges[0]?.href ?? ''
})

afterAll(async () => {
  rmSync(folder, { recursive: true })
  await cluster.dispose()
})

async function operator(...args: string[]) {
  const { PATH = '', NODE_COMPILE_CACHE = '' } = process.env
  const env = { PATH, NODE_COMPILE_CACHE, ROSTER_ADMIN_KEY: CLUSTER_ADMIN_KEY, ROSTER_URL: url }
  const child = spawn(process.execPath, [script, ...args], { cwd: folder, env })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text) => (stdout += text))
  child.stderr.on('data', (text) => (stderr += text))
  const code = await new Promise((resolve) => child.on('close', resolve))
  return { code, stdout, stderr }
}

async function send(method: string, at: string, headers: Record<string, string>, body?: object) {
  const init = { method, headers: { ...headers, ...(body && { 'content-type': 'application/json' }) } }
  return fetch(new URL(at, url), { ...init, ...(body && { body: JSON.stringify(body) }) })
}

it('adds an operator with a role, whose link signs in once', async () => {
  const { code, stdout } = await operator('add', 'ada@acme.com', '--role', 'support', '--name', 'Ada')
  expect(code).toBe(0)
  expect(stdout).toMatch(/^operator {2}op_\w{26}\nname {6}Ada\nemail {5}ada@acme\.com\nrole {6}support\n/)
  const [link = '', token] = /http:\/\/\S+\/console\/sign-in#token=(ol_\w+)/.exec(stdout) ?? []
  expect(new URL(link).host).toBe(new URL(url).host)
  const signIn = () => send('POST', '/admin/session', {}, { token })
  const first = await signIn()
  expect([first.status, await first.json()]).toMatchObject([201, { name: 'Ada', role: 'support' }])
  expect((await signIn()).status).toBe(401)
  expect((await operator('list')).stdout).toMatch(/^op_\w{26} +ada@acme\.com +Ada +support +(?:never|\d{4}-)/m)
})

it('changes a role, makes, lists and revokes keys, and removes, by address or id', async () => {
  await operator('add', 'bob@acme.com')
  const statusOf = async (key: string) => (await send('GET', '/admin/me', { 'x-api-key': key })).status
  const { stdout } = await operator('key', 'create', 'Bob@Acme.com', '--name', 'laptop')
  const [key = ''] = /ok_\w+/.exec(stdout) ?? []
  const [keyId = ''] = /opk_\w+/.exec(stdout) ?? []
  expect(await statusOf(key)).toBe(200)
  expect((await operator('role', 'bob@acme.com', 'admin')).stdout).toMatch(/role +admin/)
  expect((await operator('key', 'list', 'bob@acme.com')).stdout).toMatch(/^opk_\w+ +laptop +\d{4}-\d\d-\d\d +never/m)
  expect((await operator('key', 'revoke', 'bob@acme.com', keyId)).stdout).toBe(`${keyId} is revoked.\n`)
  expect(await statusOf(key)).toBe(401)
  expect((await operator('link', 'bob@acme.com')).stdout).toContain('/console/sign-in#token=ol_')
  const [id = ''] = /op_\w+/.exec((await operator('role', 'bob@acme.com', 'viewer')).stdout) ?? []
  expect((await operator('remove', id)).code).toBe(0)
  const gone = await operator('link', 'bob@acme.com')
  expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining('No operator is "bob@acme.com"')])
})

it('says what is wrong and how to fix it', async () => {
  const cases: [args: string[], code: number, stderr: RegExp][] = [
    [['add'], 2, /<email> is missing/],
    [['lits'], 2, /There is no command "lits", did you mean list\?/],
    [['add', 'no-address'], 1, /email is not a valid e-mail address/],
    [['add', 'x@example.com', '--role', 'root'], 1, /role .*: send/],
    [['add', 'x@example.com', '--rol', 'owner'], 2, /There is no option --rol.*--role/],
  ]
  for (const [args, code, stderr] of cases) {
    const answer = await operator(...args)
    expect([args, answer.code, answer.stderr]).toEqual([args, code, expect.stringMatching(stderr)])
  }
})
