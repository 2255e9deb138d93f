/** Tests `npm run import` as a process of its own against a served Roster. */
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
})

afterAll(async () => {
  rmSync(folder, { recursive: true })
  await cluster.dispose()
})

function run(args: string[], options: { onLine?: (text: string) => void; env?: Record<string, string> } = {}) {
  const env = options.env ?? { ROSTER_URL: cluster.edges[0]?.href ?? '' }
  const child = spawn(process.execPath, ['scripts/import.mjs', ...args], {
    env: { ...process.env, ROSTER_KEY: tenant.key, ...env },
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

function file(name: string, text: string | Uint8Array): string {
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

it('takes columns by their names or as --map says, and metadata from columns of their own', async () => {
  const csv =
    'Ref;Company;E-mail;Phone;metadata.plan;Notes;City\r\nm_1;"Acme; ""Inc""\r\nBerlin";a@example.com;+49 30;pro;x;Berlin\r\n'
  const { code, output } = await run([file('map.csv', csv), '--map', 'Ref=external_id', '--map', 'Notes=']).ended
  expect(output).toContain('1 created, 0 updated, 0 unchanged, 0 failed')
  expect(output).toContain('Taking Ref as external_id, Company as name, E-mail as email, Phone as contact')
  expect(output).toContain('Leaving out Notes.')
  expect(code).toBe(0)
  expect(await read('m_1')).toMatchObject({
    name: 'Acme; "Inc"\r\nBerlin',
    email: 'a@example.com',
    contact: '+49 30',
    address_city: 'Berlin',
    metadata: { plan: 'pro' },
  })
})

it('reports each line that failed with its number, column and value, and writes them to a file that can be corrected', async () => {
  const csv =
    'external_id;name;E-mail\nf_1;One\n\nf_2;"two\nlines";bad\nf_3;Three;t@example.com\n;Nobody\nf_4;5" pipe;\nf_5;a;;b\n'
  const { code, output } = await run([file('failed.csv', csv)]).ended
  expect(output).toMatch(/line 4 \(f_2\): E-mail "bad" is not a valid e-mail address: it has no @: send an address/)
  expect(output).toMatch(/line 7: external_id is required/)
  expect(output).toMatch(/line 8: it has a quote inside a cell/)
  expect(output).toMatch(/line 9: it has 4 cells and the header 3 columns: "b" is too much/)
  expect(output).toContain('2 created, 0 updated, 0 unchanged, 4 failed')
  expect(code).toBe(1)
  const rejects = path.join(folder, 'failed.rejects.csv')
  const [head, ...rows] = readFileSync(rejects, 'utf8').split('\r\n')
  expect(head).toBe('\ufeffexternal_id;name;E-mail;import_error')
  expect(rows.slice(0, 2)).toEqual([
    expect.stringMatching(/^f_2;"two\nlines";bad;"E-mail ""bad"" is not/),
    expect.stringMatching(/^;Nobody;;"*external_id is required/),
  ])
  const corrected = rows.join('\r\n').replace(';bad;', ';good@example.com;').replace('\r\n;No', '\r\nf_6;No')
  writeFileSync(rejects, `${head}\r\n${corrected.replace('5" pipe', '"5"" pipe"').replace('a;;b', '"a;;b";')}`)
  const again = await run([rejects, '--encoding', 'windows-1252']).ended
  expect(again.output).toContain('4 created, 0 updated, 0 unchanged, 0 failed')
  expect(await read('f_4')).toMatchObject({ name: '5" pipe' })
  expect(await read('f_5')).toMatchObject({ name: 'a;;b' })
})

it('refuses a file of another encoding as a whole, and reads it as the option says', async () => {
  const made = file('latin.csv', Buffer.from('external_id,name\ne_1,ok\ne_2,M\u00fcller\n', 'latin1'))
  const refused = await run([made]).ended
  expect(refused.output).toMatch(/Nothing was imported. line 3 is not UTF-8: byte 30 of the file is 0xFC.*windows-1252/)
  expect(refused.code).toBe(2)
  const { output } = await run([made, '--encoding', 'windows-1252']).ended
  expect(output).toContain('2 created')
  expect(await read('e_2')).toMatchObject({ name: 'M\u00fcller' })
})

it('sends parents before their children, in a dry run too', async () => {
  const rows = ['p_3,p_2', 'p_2,p_1', 'p_3,', 'p_1,', 'p_4,p_5', 'p_5,p_4']
  const made = file('parents.csv', `external_id,parent\n${rows.join('\n')}\n`)
  for (const args of [['--dry-run'], []]) {
    const { output } = await run([made, ...args]).ended
    expect(output).toMatch(/line 6 \(p_4\): parent "p_5" names no customer/)
    expect(output).toContain('3 created, 0 updated, 1 unchanged, 2 failed')
  }
  expect(await read('p_3')).toMatchObject({ parent_customer_id: (await read('p_2')).id })
})

it('takes NDJSON, and changes nothing in a dry run', async () => {
  const made = file('lines.ndjson', '{"external_id": "n_1"}\n\n{"external_id": "n_2", "email": "bad"}\n')
  const dry = await run([made, '--dry-run']).ended
  expect(dry.output).toContain('Dry run, nothing was changed: 1 created, 0 updated, 0 unchanged, 1 failed')
  expect(dry.output).toContain('line 3 (n_2): email "bad"')
  expect(dry.code).toBe(1)
  const wet = await run([made]).ended
  expect(wet.output).toContain('1 created, 0 updated, 0 unchanged, 1 failed')
  const rejects = path.join(folder, 'lines.rejects.ndjson')
  writeFileSync(rejects, readFileSync(rejects, 'utf8').replace('"bad"', '"good@example.com"'))
  expect((await run([rejects]).ended).output).toContain('1 created, 0 updated, 0 unchanged, 0 failed')
  // The command that it prints undoes the import, and no other one.
  expect(dry.output).not.toContain('This undoes it')
  const [, url = '', body = ''] = /^This undoes it: curl -X POST (\S+) .* -d '(.*)'$/m.exec(wet.output) ?? []
  const headers = { authorization: `Bearer ${tenant.key}`, 'content-type': 'application/json' }
  const undone = (await (await fetch(url, { method: 'POST', headers, body })).text()).trimEnd().split('\n')
  const [first, last] = [undone[0], undone.at(-1)].map((line) => JSON.parse(line ?? ''))
  expect([first.external_id, first.result, last.reverted, last.conflict]).toEqual(['n_1', 'reverted', 1, 0])
})

it('sends more than 50 MB in several requests, and prints its progress after each', async () => {
  // JSON allows spaces at the end of a line.
  const lines = Array.from({ length: 220 }, (_, at) => `{"external_id": "big_${at}"}${' '.repeat(250_000)}`)
  const { code, output } = await run([file('big.ndjson', `${lines.join('\n')}\n`)]).ended
  expect(output).toMatch(/Part 1 is done: 19\d lines, 49\.\d of 55\.0 MB of the file, 0 failed/)
  expect(output).not.toContain('Part 2')
  expect(output).toContain('220 created, 0 updated, 0 unchanged, 0 failed')
  expect(code).toBe(0)
})

it('continues after an interruption where it stopped', async () => {
  const LINES = 10_000
  const lines = Array.from({ length: LINES }, (_, at) => `r_${at},Name ${at}`)
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
  expect(answered).toBeLessThan(LINES)
  const other = await new Client(cluster).newTenant({ tier: 'enterprise' })
  for (const [args, difference] of [
    [['--key', other.key], /another one: the tenant was \S+ and is \S+\. Leave --resume out/],
    [['--url', cluster.edges[0]?.href.replace('127.0.0.1', 'localhost') ?? ''], /the target was/],
    [['--map', 'name=metadata.n'], /the mapping was {2}and is name=metadata.n/],
  ] as const) {
    const refused = await run([made, ...args, '--resume']).ended
    expect([refused.code, refused.output]).toEqual([2, expect.stringMatching(difference)])
  }
  const second = await run([made, '--resume']).ended
  const [, created = 0, unchanged = 0] = /(\d+) created, 0 updated, (\d+) unchanged, 0 failed/.exec(second.output) ?? []
  expect(Number(created) + Number(unchanged)).toBe(LINES)
  // Lines that were under way at the interruption are sent again, and exist already.
  expect(Number(unchanged)).toBeLessThan(5_000)
  expect(second.code).toBe(0)
  expect(existsSync(state)).toBe(false)
})

it('prints what is wrong with its command line, and ends with 2', async () => {
  const made = file('plain.csv', 'Company\nAcme\n')
  const good = file('key.csv', 'external_id\nx\n')
  const failures: [string[], RegExp][] = [
    [[made], /external_id is no column/],
    [[made, '--map', 'Company=nam'], /"nam", which is no field: did you mean name\?[\s\S]*npm run import/],
    [[made, '--map', 'Firm=external_id'], /Firm is mapped, but the file has no such column/],
    [[file('unknown.csv', 'external_id,Notes\nx,y\n')], /Notes is no known column/],
    [[path.join(folder, 'missing.csv')], /There is no file/],
    [[good, '--resume'], /nothing to resume/],
    [[good, '--nope'], /--nope[\s\S]*npm run import/],
    [[good, '--delimiter', ';;'], /";;" is no delimiter/],
    [[good, '--encoding', 'klingon'], /"klingon" is no encoding/],
    [[], /Name a file[\s\S]*npm run import/],
    [[good, '--key', 'sk_live_wrong'], /answered 401/],
  ]
  for (const [args, message] of failures) {
    const { code, output } = await run(args).ended
    expect(output).toMatch(message)
    expect(code).toBe(2)
  }
  const elsewhere = await run([good], { env: { ROSTER_URL: 'roster.example' } }).ended
  expect(elsewhere).toEqual({ code: 2, output: expect.stringMatching(/^ROSTER_URL "roster\.example" has no https/) })
})

it('prints its options, and ends with 0', async () => {
  const { code, output } = await run(['--help']).ended
  expect([code, output]).toEqual([0, expect.stringMatching(/npm run import[\s\S]*--delimiter/)])
})
