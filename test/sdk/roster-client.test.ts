/**
 * `roster/client` as another project has it: built as the package builds it, compiled without Roster's sources and without
 * the types of Workers, and run against a served Roster. The example of the README is that project. How it is at every door: test/doors/client.test.ts.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client, type Tenant } from '../isolates/client.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'

const bin = (name: string) => path.resolve('node_modules/.bin', name)
const example = /```ts\n(import \{ rosterClient \} from 'roster\/client'\n.*?)```/s.exec(
  readFileSync('README.md', 'utf8'),
)?.[1]

const folder = mkdtempSync(path.join(tmpdir(), 'roster-client-'))
const installed = path.join(folder, 'node_modules/roster')
let cluster: Cluster
let client: Client
let tenant: Tenant
let origin: string

beforeAll(async () => {
  mkdirSync(installed, { recursive: true })
  cpSync('package.json', path.join(installed, 'package.json'))
  for (const name of ['hono', 'zod'])
    symlinkSync(path.resolve('node_modules', name), path.join(folder, 'node_modules', name))
  // What `npm run build:client` runs, into the other project.
  const outDir = path.join(installed, 'dist/client')
  spawnSync(bin('tsc'), ['-p', 'tsconfig.client.json', '--outDir', outDir])
  await build({
    entryPoints: ['src/client.ts'],
    format: 'esm',
    target: 'es2022',
    outfile: path.join(outDir, 'client.js'),
  })
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
  cluster = await startCluster({ edges: 1 })
  client = new Client(cluster)
  tenant = await client.newTenant({ tier: 'enterprise' })
  origin = cluster.edges[0]?.origin ?? ''
}, 60_000)

afterAll(async () => {
  rmSync(folder, { recursive: true })
  await cluster.dispose()
})

/** What the compiler says of a file of the other project; empty when nothing is wrong. */
function compiled(name: string, text: string): string {
  writeFileSync(path.join(folder, name), text)
  const options = ['--strict', '--noEmit', '--skipLibCheck', '--types', '', '--lib', 'es2023,dom', '--target', 'es2023']
  const { stdout, status } = spawnSync(bin('tsc'), [...options, '--module', 'nodenext', name], { cwd: folder })
  return status === 0 ? String(stdout) : `${stdout} exit ${status}`
}

describe('roster/client in another project', () => {
  it('compiles the example of the README', () => {
    expect(example).toBeDefined()
    expect(compiled('example.ts', example ?? '')).toBe('')
  }, 60_000)

  it('knows every path, parameter, field and answer', () => {
    const text = `
      import { rosterClient, type Answers, type RosterRoutes } from 'roster/client'
      const roster = rosterClient('https://roster.example', 'key')
      const { customers } = roster.v1

      const made = await customers.$post({ json: { external_id: 'x' }, query: { if_exists: 'return' } })
      if (made.ok) (await made.json()).address_city satisfies string
      else (await made.json()).details.errors satisfies { field: string }[] | undefined
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

      // What these answer is a stream, or differs by its status: the client tells as much of them as Hono knows. A route that is new
      // is told here or, better, in the Answers of src/client.ts.
      type Streams = '/v1/customers/import' | '/v1/customers/export' | '/readyz'
      type Untold = { [Path in keyof RosterRoutes]: Path extends keyof Answers
        ? Exclude<keyof RosterRoutes[Path], keyof Answers[Path]> extends never ? never : Path
        : Path }[keyof RosterRoutes]
      type IsNever<T> = [T] extends [never] ? true : T
      true satisfies IsNever<Exclude<Untold, Streams>>
      true satisfies IsNever<Exclude<keyof Answers, keyof RosterRoutes>>
    `
    expect(compiled('uses.ts', text)).toBe('')
  }, 60_000)

  it('runs the example of the README', async () => {
    const externalId = 'a/b é %?#&'
    await client.newCustomer(tenant, externalId)
    writeFileSync(path.join(folder, 'example.ts'), example ?? '')
    execFileSync(bin('esbuild'), ['example.ts', '--bundle', '--format=esm', '--outfile=example.mjs'], { cwd: folder })
    const { rename } = await import(/* @vite-ignore */ pathToFileURL(path.join(folder, 'example.mjs')).href)
    expect(await rename(origin, tenant.key, externalId, 'Acme Corp.')).toMatchObject({ name: 'Acme Corp.' })
    await expect(rename(origin, tenant.key, 'nobody', 'x')).rejects.toThrow('no such customer')
  }, 60_000)

  it('has nothing of the Worker in its code', () => {
    const code = readFileSync(path.join(installed, 'dist/client/client.js'), 'utf8')
    expect([...code.matchAll(/from ["'](.*?)["']/g)].map(([, name]) => name)).toEqual(['hono/client'])
  })
})
