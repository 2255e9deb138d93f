/**
 * `roster/client` as another project has it: packed, installed into an empty strict project without the network, compiled
 * there with every declaration checked and without the types of Workers and Node, and run against a served Roster. The example
 * of docs/typescript-client.md is that project. Every HTTP API is called in test/workers/apis/client.test.ts.
 */
import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client, type Tenant } from '../isolates/client.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'

const bin = (name: string) => path.resolve('node_modules/.bin', name)
const example = /```ts\n(import \{ rosterClient \} from 'roster\/client'\n.*?)```/s.exec(
  readFileSync('docs/typescript-client.md', 'utf8'),
)?.[1]

const folder = mkdtempSync(path.join(tmpdir(), 'roster-client-'))
const installed = path.join(folder, 'node_modules/roster/dist')
let cluster: Cluster
let client: Client
let tenant: Tenant
let origin: string

/** The package and the one library that it needs, from here: the project is made without the network. */
const PACKED = [
  { from: 'packages/client', flags: [] },
  { from: 'node_modules/hono', flags: ['--ignore-scripts'] },
]
const TARBALL_BYTES_MAX = 200_000
let tarball = ''

beforeAll(async () => {
  const npm = (cwd: string, ...args: string[]) => execFileSync('npm', args, { cwd, encoding: 'utf8' })
  const tarballs = PACKED.map(({ from, flags }) => {
    const packed = npm('.', 'pack', path.resolve(from), '--pack-destination', folder, '--silent', ...flags)
    return path.join(folder, packed.trim().split('\n').at(-1) ?? '')
  })
  tarball = tarballs[0] ?? ''
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  npm(folder, 'install', '--offline', '--no-audit', '--no-fund', ...tarballs)
  cluster = await startCluster({ edges: 1 })
  client = new Client(cluster)
  tenant = await client.newTenant({ tier: 'enterprise' })
  origin = cluster.edges[0]?.origin ?? ''
})

afterAll(async () => {
  rmSync(folder, { recursive: true })
  await cluster.dispose()
})

/** Not the Sync form: a connection to Roster that is closed meanwhile must be seen to be. */
const run = promisify(execFile)

/** Returns the errors that the compiler has for files of the other project, by one run; empty when it has none. */
async function compiled(files: Record<string, string>): Promise<string> {
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text)
  const options = [
    '--strict',
    '--noEmit',
    '--singleThreaded',
    '--types',
    '',
    '--lib',
    'es2023,dom',
    '--target',
    'es2023',
  ]
  return run(bin('tsc'), [...options, '--module', 'nodenext', ...Object.keys(files)], { cwd: folder }).then(
    ({ stdout }) => stdout,
    ({ stdout, code }) => `${stdout} exit ${code}`,
  )
}

describe('roster/client in another project', () => {
  it('compiles the example of docs/typescript-client.md, and knows every path, parameter, field and answer', async () => {
    expect(example).toBeDefined()
    const text = `
      import { rosterClient, type RosterRoutes, type V1Customer } from 'roster/client'
      const roster = rosterClient('https://roster.example', 'key')
      const { customers } = roster.v1

      const made = await customers.$post({ json: { external_id: 'x' }, query: { if_exists: 'return' } })
      if (made.ok) {
        // A key that may not read customers gets a part of the one it wrote.
        const written = await made.json()
        if ('address_city' in written) written.address_city satisfies string
        else written.version satisfies number
      } else (await made.json()).details.errors satisfies { field: string }[] | undefined
      const listed = await customers.$get({ query: { limit: '3', 'metadata[plan]': 'pro', expand: ['children'] } })
      if (listed.ok) (await listed.json()).items[0]?.children?.[0]?.name satisfies string | undefined
      const flatpeak = await roster.customers[':id'].$patch({ param: { id: 'x' }, json: { reference_id: 'y' } })
      if (flatpeak.status === 202) (await flatpeak.json()).reference_id satisfies string
      else (await flatpeak.json()).code satisfies string
      const tenant = await roster.admin.customers.$post({ json: { company_name: 'x', contact_email: 'a@example.com' } })
      if (tenant.ok) (await tenant.json()).tier satisfies 'starter' | 'growth' | 'scale' | 'enterprise' | 'custom'

      // @ts-expect-error there is no such path
      roster.v2
      // @ts-expect-error external_id is required
      customers.$post({ json: { name: 'x' } })
      // @ts-expect-error a name is text
      customers.$post({ json: { external_id: 'x', name: 7 } })
      // @ts-expect-error there is no such parameter
      customers.$get({ query: { nope: '1' } })
      // @ts-expect-error the id is required
      customers[':id'].$get({})
      // @ts-expect-error there is no such tier
      roster.admin.customers.$post({ json: { company_name: 'x', contact_email: 'a', tier: 'gold' } })
      // @ts-expect-error a customer has no such field
      if (made.ok) (await made.json()).nope

      const read = await customers[':id'].$get({ param: { id: 'x' }, query: { expand: 'children' } })
      if (read.status === 200) (await read.json()) satisfies V1Customer
      const settings = await roster.v1.settings.customer_onboarding.$get()
      if (settings.status === 200) (await settings.json()).workflows.default?.steps satisfies object[] | undefined
      const events = await roster.v1.events.$get()
      if (events.ok) (await events.json()).items[0]?.data.customer?.name satisfies string | undefined
      const exported = await customers.export.$get({ query: { after: 'cust_01JD3VQ4X8N2M7R5T9W6YBZKCE', format: 'csv' } })
      if (exported.ok) (await exported.text()) satisfies string
      else (await exported.json()).code satisfies string
      const ready = await roster.readyz.$get()
      if (ready.status === 200) (await ready.json()).checks.d1 satisfies 'ok' | 'failed'
      // @ts-expect-error an answer's customer has no such field
      if (events.ok) (await events.json()).items[0]?.data.customer?.nope

      // A route whose handler does not say what it answers may answer any status, 100 among them.
      type Untyped = { [Path in keyof RosterRoutes]: { [Method in keyof RosterRoutes[Path]]:
        Extract<RosterRoutes[Path][Method], { status: 100 }> extends never ? never : Path
      }[keyof RosterRoutes[Path]] }[keyof RosterRoutes]
      type IsNever<T> = [T] extends [never] ? true : T
      true satisfies IsNever<Untyped>
    `
    expect(await compiled({ 'example.ts': example ?? '', 'uses.ts': text })).toBe('')
  })

  it('runs the example of docs/typescript-client.md', async () => {
    const externalId = 'a/b é %?#&'
    await client.newCustomer(tenant, externalId)
    writeFileSync(path.join(folder, 'example.ts'), example ?? '')
    await run(bin('esbuild'), ['example.ts', '--bundle', '--format=esm', '--outfile=example.mjs'], { cwd: folder })
    const { rename } = await import(/* @vite-ignore */ pathToFileURL(path.join(folder, 'example.mjs')).href)
    expect(await rename(origin, tenant.key, externalId, 'Acme Corp.')).toMatchObject({ name: 'Acme Corp.' })
    await expect(rename(origin, tenant.key, 'nobody', 'x')).rejects.toThrow('no such customer')
  })

  it('has nothing of the Worker in its code or its types, and is small', () => {
    const imports = /(?:from |import\()["'](.*?)["']/g
    const code = readFileSync(path.join(installed, 'client.js'), 'utf8')
    expect([...code.matchAll(imports)].map(([, name]) => name)).toEqual(['hono/client'])
    const declared = readdirSync(installed)
      .filter((name) => name.endsWith('.d.ts'))
      .flatMap((name) => {
        return [...readFileSync(path.join(installed, name), 'utf8').matchAll(imports)].map(([, from]) => from)
      })
    expect(new Set(declared)).toEqual(new Set(['hono', 'hono/client', 'hono/types', './client-routes.js']))
    expect(readdirSync(path.join(folder, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual([
      'hono',
      'roster',
    ])
    expect(statSync(tarball).size).toBeLessThan(TARBALL_BYTES_MAX)
  })
})
