/** What `npm run import` promises, run as a process of its own against a served Roster. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bearer, Client, type Tenant } from '../isolates/client.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'

let cluster: Cluster
let tenant: Tenant
const folder = mkdtempSync(path.join(tmpdir(), 'roster-import-'))

beforeAll(async () => {
  cluster = await startCluster({ edges: 1 })
  tenant = await new Client(cluster).newTenant({ tier: 'enterprise' })
}, 60_000)

afterAll(async () => {
  rmSync(folder, { recursive: true })
  await cluster.dispose()
})

function run(args: string[], options: { onLine?: (text: string) => void; url?: string } = {}) {
  const url = options.url ?? cluster.edges[0]?.href ?? ''
  const child = spawn(process.execPath, ['scripts/import.mjs', ...args, '--url', url], {
    env: { ...process.env, ROSTER_KEY: tenant.key },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
  return {
    child,
    ended: new Promise<{ code: number | null; output: string }>((resolve) =>
      child.on('close', (code) => resolve({ code, output })),
    ),
  }
}

function file(name: string, text: string): string {
  const made = path.join(folder, name)
  writeFileSync(made, text)
  return made
}

async function read(externalId: string) {
  await new Promise((resolve) => setTimeout(resolve, 1_100))
  const path = `/v1/customers/external/${encodeURIComponent(externalId)}`
  const { body } = await new Client(cluster).send(0, 'GET', path, bearer(tenant.key))
  return body
}

it('takes columns by their names or as it is told, and metadata from columns of their own', async () => {
  const csv =
    'Ref;Company;E-mail address;Phone;metadata.plan;Notes;City\r\nm_1;"Acme; ""Inc""\r\nBerlin";a@example.com;\'+49 30;pro;x;Berlin\r\n'
  const { code, output } = await run([
    file('map.csv', csv),
    '--map',
    'Ref=external_id,Company=name,E-mail address=email',
  ]).ended
  expect(output).toContain('1 created, 0 updated, 0 unchanged, 0 failed')
  expect(output).toContain('Leaving out Notes')
  expect(code).toBe(0)
  expect(await read('m_1')).toMatchObject({
    name: 'Acme; "Inc"\r\nBerlin',
    email: 'a@example.com',
    contact: '+49 30',
    address_city: 'Berlin',
    metadata: { plan: 'pro' },
  })
})

it('says of each line that failed where it is in the file and why, and ends with 1', async () => {
  const csv = 'external_id,name,email\nf_1,One,\n\nf_2,"two\nlines",bad\nf_3,Three,t@example.com\n,Nobody,\n'
  const { code, output } = await run([file('failed.csv', csv)]).ended
  expect(output).toMatch(/line 4 \(f_2\): email is not a valid e-mail address: send an address/)
  expect(output).toMatch(/line 7: external_id is required/)
  expect(output).toContain('2 created, 0 updated, 0 unchanged, 2 failed')
  expect(code).toBe(1)
})

it('takes NDJSON, and changes nothing in a dry run', async () => {
  const made = file('lines.ndjson', '{"external_id": "n_1"}\n\n{"external_id": "n_2", "email": "bad"}\n')
  const dry = await run([made, '--dry-run']).ended
  expect(dry.output).toContain('Dry run, nothing was changed: 1 created, 0 updated, 0 unchanged, 1 failed')
  expect(dry.output).toContain('line 3 (n_2): email')
  expect(dry.code).toBe(1)
  const wet = await run([made]).ended
  expect(wet.output).toContain('1 created, 0 updated, 0 unchanged, 1 failed')
})

it('goes on after an interruption from where it was', async () => {
  const lines = Array.from({ length: 60_000 }, (_, at) => `r_${at},Name ${at}`)
  const made = file('long.csv', `external_id,name\n${lines.join('\n')}\n`)
  const state = `${made}.import-state.json`
  const first = run([made])
  while (!existsSync(state)) await new Promise((resolve) => setTimeout(resolve, 20))
  first.child.kill('SIGINT')
  const interrupted = await first.ended
  expect(interrupted.code).toBe(130)
  expect(interrupted.output).toMatch(/Interrupted after \d+ lines/)
  const { answered } = JSON.parse(readFileSync(state, 'utf8'))
  expect(answered).toBeGreaterThan(0)
  expect(answered).toBeLessThan(60_000)
  const second = await run([made, '--resume']).ended
  const [, created = 0, unchanged = 0] = /(\d+) created, 0 updated, (\d+) unchanged, 0 failed/.exec(second.output) ?? []
  expect(Number(created) + Number(unchanged)).toBe(60_000)
  // What was under way when it was interrupted is sent again, and is there.
  expect(Number(unchanged)).toBeLessThan(5_000)
  expect(second.code).toBe(0)
  expect(existsSync(state)).toBe(false)
})

it('says what is wrong with how it was called, and ends with 2', async () => {
  const made = file('plain.csv', 'Company\nAcme\n')
  const failures: [string[], RegExp][] = [
    [[made], /no column is external_id/],
    [[made, '--map', 'Company=nam'], /"nam" is no field/],
    [[made, '--map', 'Firm=external_id'], /the file has no column Firm/],
    [[path.join(folder, 'missing.csv')], /There is no file/],
    [[made, '--resume'], /nothing to resume/],
    [[], /npm run import/],
    [[file('key.csv', 'external_id\nx\n'), '--key', 'sk_live_wrong'], /answered 401/],
  ]
  for (const [args, message] of failures) {
    const { code, output } = await run(args).ended
    expect(output).toMatch(message)
    expect(code).toBe(2)
  }
})
