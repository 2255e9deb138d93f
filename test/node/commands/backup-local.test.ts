/**
 * Tests a real disaster: a served Roster is backed up, all its state is destroyed, the backup is restored to a
 * fresh one, and every API responds as before. The commands are those of docs/operations/restore.md, with `--local`.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, createServer as createSocket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { localDatabaseCount } from '../../../scripts/local-state.ts'
import { databaseInId } from '../../../src/shared/ids.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'roster-disaster-'))
const ADMIN = { 'x-api-key': 'local-admin-key-for-development' }
let served: { process: ChildProcess; origin: string } | null = null
let receiver: Server
/** The `webhook-id` of every delivery that was accepted; while `isAway` none is. */
const taken: string[] = []
let isAway = true

beforeAll(async () => {
  receiver = createServer((request, response) => {
    if (!isAway) taken.push(String(request.headers['webhook-id']))
    // Long enough for the backup to be taken before the next attempt, whose own delay would soon be minutes.
    if (isAway) response.writeHead(503, { 'retry-after': '30' }).end()
    else response.writeHead(204).end()
  })
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
})

afterAll(async () => {
  await stop()
  receiver.closeAllConnections()
  receiver.close()
  rmSync(folder, { recursive: true, force: true })
})

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createSocket().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo
      probe.close(() => resolve(port))
    })
  })
}

/** `npm start` on a state of its own. */
async function start(state: string, more: Record<string, string> = {}): Promise<void> {
  const port = await freePort()
  const env = { ...process.env, PORT: String(port), PERSIST_TO: path.join(folder, state), ...more }
  const child = spawn(process.execPath, ['scripts/start.mjs'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text) => {
        output += text
        if (output.includes('curl ')) resolve()
      })
    }
    child.on('exit', (code) => reject(new Error(`npm start ended with ${code}: ${output}`)))
  })
  child.removeAllListeners('exit')
  served = { process: child, origin: `http://127.0.0.1:${port}` }
}

async function stop(): Promise<void> {
  const running = served?.process
  served = null
  if (!running) return
  const ended = new Promise((resolve) => running.on('exit', resolve))
  running.kill('SIGTERM')
  await ended
}

async function command(script: string, args: string[], state: string) {
  const env = { ...process.env, PERSIST_TO: path.join(folder, state) }
  const child = spawn(process.execPath, [`scripts/${script}.mjs`, '--local', ...args], { env })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
  const code = await new Promise((resolve) => child.on('close', resolve))
  expect(code, output).toBe(0)
  return output
}

/** Sends a request, again when its mode has permits again: those of test mode are few. */
async function send(method: string, where: string, headers: Record<string, string>, body?: unknown) {
  const init = {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }
  let answer = await fetch(new URL(where, served?.origin), init)
  while (answer.status === 429) {
    await sleep(Number(answer.headers.get('retry-after')) * 1_000)
    answer = await fetch(new URL(where, served?.origin), init)
  }
  const text = await answer.text()
  expect(answer.status, `${method} ${where}: ${text}`).toBeLessThan(300)
  // biome-ignore lint/suspicious/noExplicitAny: the JSON of any response
  return { text, body: (text.startsWith('{') && !text.includes('}\n{') ? JSON.parse(text) : null) as any }
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

async function newTenant(company: string) {
  const { body } = await send('POST', '/admin/customers', ADMIN, {
    company_name: company,
    contact_email: 'a@b.co',
    tier: 'enterprise',
  })
  const key = (mode: string) => send('POST', `/admin/customers/${body.customer_id}/keys`, ADMIN, { name: mode, mode })
  return {
    id: String(body.customer_id),
    keys: [(await key('live')).body.key, (await key('test')).body.key] as string[],
  }
}

/** Returns the bodies of all responses about these tenants. */
async function everything(tenants: { id: string; keys: string[] }[]): Promise<string[]> {
  const bodies: string[] = []
  for (const { id, keys } of tenants) {
    bodies.push((await send('GET', `/admin/customers/${id}`, ADMIN)).text)
    // Gates know the last uses of keys, and a backup has nothing of gates.
    const listed = await send('GET', `/admin/customers/${id}/keys`, ADMIN)
    bodies.push(listed.text.replaceAll(/"last_used_at":(?:"[^"]*"|null)/g, ''))
    bodies.push((await send('GET', `/admin/audit?tenant_id=${id}&limit=100`, ADMIN)).text)
    for (const key of keys) {
      bodies.push((await send('GET', '/v1/customers?limit=1000&status=archived', bearer(key))).text)
      bodies.push((await send('GET', '/v1/customers?limit=1000', bearer(key))).text)
      bodies.push((await send('GET', '/v1/customers?q=sohne+child', bearer(key))).text)
      bodies.push((await send('GET', '/v1/customers?q=parent', bearer(key))).text)
      bodies.push((await send('GET', '/customers?limit=100', bearer(key))).text)
      bodies.push((await send('GET', '/v1/customers/export', bearer(key))).text)
      bodies.push((await send('GET', '/v1/events?limit=100', bearer(key))).text)
      bodies.push((await send('GET', '/v1/webhooks/endpoints', bearer(key))).text)
    }
  }
  return bodies
}

it('restores everything from a backup alone, with every database, every key and every due webhook', async () => {
  await start('before', { DATABASES: '2' })
  const tenants = [await newTenant('Globex'), await newTenant('Initech')]
  expect(tenants.map(({ id }) => databaseInId(id))).toContain(1)
  for (const [at, { keys }] of tenants.entries()) {
    for (const key of keys) {
      const make = async (fields: object) => (await send('POST', '/v1/customers', bearer(key), fields)).body.id
      const child = await make({ external_id: 'child', name: "O'Brien\nand \\n; Söhne", metadata: { plan: 'a\nb\\n' } })
      const parent = await make({ external_id: `parent ${at}`, email: 'p@example.com' })
      await send('PUT', `/v1/customers/${child}`, bearer(key), { parent_customer_id: parent, external_id: 'renamed' })
      await send('DELETE', `/v1/customers/${await make({ external_id: 'archived' })}`, bearer(key))
      await send('POST', `/v1/customers/${await make({ external_id: 'erased', name: 'Jane' })}/erase`, bearer(key))
    }
  }
  const [first] = tenants as [(typeof tenants)[0]]
  const live = first.keys[0] as string
  const { port } = receiver.address() as AddressInfo
  await send('POST', '/v1/webhooks/endpoints', bearer(live), { url: `http://127.0.0.1:${port}/` })
  for (const external of ['due 1', 'due 2'])
    await send('POST', '/v1/customers', bearer(live), { external_id: external })

  const file = path.join(folder, 'backup.sqlite')
  const before = await everything(tenants)
  await stop()
  expect(await command('backup', [file], 'before')).toMatch(/backup-1\.sqlite has \d+ rows as of /)
  rmSync(path.join(folder, 'before'), { recursive: true })

  expect(await command('restore', [file], 'after')).toContain('Restored. Start it: `npm start`')
  isAway = false
  await start('after')
  expect(localDatabaseCount(path.join(folder, 'after'))).toBe(2)
  expect(await everything(tenants)).toEqual(before)
  // A key made before works, also to write, and what was due is delivered once.
  const { body } = await send('PUT', '/v1/customers/external/renamed', bearer(live), { name: 'after' })
  expect((await send('GET', `/v1/customers/${body.id}`, bearer(live))).body.name).toBe('after')
  const sweep = () => fetch(new URL('/cdn-cgi/local/scheduled', served?.origin))
  await vi.waitUntil(async () => (await sweep()) && taken.length >= 3, { timeout: 240_000, interval: 1_000 })
  await sweep()
  expect([taken.length, new Set(taken).size]).toEqual([3, 3])
  await stop()
  expect(await command('restored', [], 'after')).toContain('The data epoch is raised')
})
