/**
 * Runs FlexPrice's published SDK, unchanged, against a served Roster: its customer calls, under the oldest zod that it takes, one
 * in between, and the newest. Its own schemas check every response, and they differ: a later zod refuses values that an earlier
 * one accepts.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Flexprice } from '@flexprice/sdk'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client } from '../isolates/client.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'

/** Package names: npm installs several versions under names of their own. `zod` is the one that Roster uses. */
const ZODS = ['zod-3-25', 'zod-4-3', 'zod'].map((zod) => ({ zod, version: versionOf(zod) }))

const UNKNOWN_ID = 'cust_01ARZ3NDEKTSV4RRFFQ69G5FAV'

const folder = mkdtempSync(path.join(tmpdir(), 'roster-sdk-'))
let cluster: Cluster
let client: Client
let key: string

beforeAll(async () => {
  cluster = await startCluster({ edges: 1 })
  client = new Client(cluster)
})

afterAll(async () => {
  rmSync(folder, { recursive: true })
  await cluster.dispose()
})

function versionOf(name: string): string {
  return JSON.parse(readFileSync(createRequire(import.meta.url).resolve(`${name}/package.json`), 'utf8')).version
}

/** The SDK with every import of zod going to that package, as one file. */
async function sdkUnder(zod: string): Promise<typeof import('@flexprice/sdk')> {
  const outfile = path.join(folder, `${zod}.mjs`)
  const { metafile, outputFiles } = await build({
    stdin: { contents: `export { Flexprice } from '@flexprice/sdk'`, resolveDir: import.meta.dirname },
    bundle: true,
    write: false,
    metafile: true,
    outfile,
    format: 'esm',
    platform: 'node',
    ...(zod !== 'zod' && { alias: { zod } }),
  })
  const zods = new Set(Object.keys(metafile.inputs).map((file) => /node_modules\/(zod[^/]*)\//.exec(file)?.[1]))
  zods.delete(undefined)
  if (zods.size !== 1 || !zods.has(zod)) throw new Error(`the SDK was to use ${zod}, and uses ${[...zods].join(', ')}`)
  writeFileSync(outfile, outputFiles[0]?.text ?? '')
  return import(/* @vite-ignore */ pathToFileURL(outfile).href)
}

describe.each(ZODS)('FlexPrice SDK under zod $version', ({ zod }) => {
  let customers: Flexprice['customers']

  beforeAll(async () => {
    key = (await client.newTenant({ tier: 'enterprise' })).key
    const { Flexprice: Sdk } = await sdkUnder(zod)
    customers = new Sdk({ serverURL: new URL('/v1', cluster.edges[0]).href, apiKeyAuth: key }).customers
  })

  const WHOLE = {
    externalId: 'user_1',
    name: 'Acme Corporation',
    email: 'billing@acme.com',
    addressLine1: '123 Main Street',
    addressLine2: 'Floor 2',
    addressCity: 'San Francisco',
    addressState: 'CA',
    addressPostalCode: '94105',
    addressCountry: 'US',
    metadata: { plan_tier: 'enterprise' },
  }

  it('creates a customer with all its fields, and reads it by both ids', async () => {
    const made = await customers.createCustomer({
      ...WHOLE,
      integrationEntityMapping: [{ provider: 'stripe', id: 'cus_1' }],
      skipOnboardingWorkflow: true,
    })
    expect(made).toMatchObject({ ...WHOLE, id: expect.stringMatching(/^cust_/), status: 'published' })
    expect(await customers.getCustomer(made.id ?? '')).toEqual(made)
    expect(await customers.getCustomerByExternalId('user_1')).toEqual(made)
  })

  it('creates a customer with an external id only', async () => {
    const made = await customers.createCustomer({ externalId: 'bare/é %' })
    expect(made).toMatchObject({ externalId: 'bare/é %', name: '', email: '', metadata: {} })
    expect(await customers.getCustomerByExternalId('bare/é %')).toEqual(made)
  })

  it('creates a customer below another and reads it', async () => {
    const parent = await customers.createCustomer({ externalId: 'parent' })
    const child = await customers.createCustomer({ externalId: 'child', parentCustomerExternalId: 'parent' })
    expect(child.parentCustomerId).toBe(parent.id)
    const { items } = await customers.queryCustomer({ externalId: 'child', expand: 'parent_customer' })
    expect(items).toMatchObject([{ id: child.id, parentCustomer: { id: parent.id } }])
  })

  it('updates a customer by its id and by its external id, and only the given fields', async () => {
    const made = await customers.createCustomer({ ...WHOLE, externalId: 'updated' })
    const renamed = await customers.updateCustomer({ name: 'Acme Corp.' }, made.id)
    expect(renamed).toEqual({ ...made, name: 'Acme Corp.', updatedAt: renamed.updatedAt })
    const moved = await customers.updateCustomer({ addressCity: 'Oakland' }, undefined, 'updated')
    expect(moved).toMatchObject({ id: made.id, name: 'Acme Corp.', addressCity: 'Oakland' })
    const mapped = await customers.updateCustomer(
      { integrationEntityMapping: [{ provider: 'razorpay', id: 'rzp_1' }] },
      made.id,
    )
    expect(mapped.id).toBe(made.id)
  })

  it('lists customers: sorted, filtered, and page by page', async () => {
    for (const at of [1, 2, 3]) {
      await customers.createCustomer({ externalId: `list_${at}`, email: 'list@example.com', name: `List ${at}` })
    }
    const first = await customers.queryCustomer({
      email: 'list@example.com',
      limit: 2,
      offset: 0,
      order: 'asc',
      status: 'published',
    })
    expect(first.items?.map(({ externalId }) => externalId)).toEqual(['list_1', 'list_2'])
    expect(first.pagination).toMatchObject({ total: 3, limit: 2, offset: 2 })
    const rest = await customers.queryCustomer({
      externalIds: ['list_1', 'list_2', 'list_3'],
      limit: 2,
      offset: first.pagination?.offset,
      order: 'asc',
    })
    expect(rest.items?.map(({ externalId }) => externalId)).toEqual(['list_3'])
    const filtered = await customers.queryCustomer({
      filters: [{ field: 'name', operator: 'contains', dataType: 'string', value: { string: 'List 2' } }],
      sort: [{ field: 'created_at', direction: 'desc' }],
    })
    expect(filtered.items?.map(({ externalId }) => externalId)).toEqual(['list_2'])
    expect(await customers.queryCustomer({ externalId: 'nobody' })).toMatchObject({ items: [] })
    expect((await customers.queryCustomer({})).items?.length).toBeGreaterThan(3)
  })

  it('deletes a customer, and still reads it by its id', async () => {
    const made = await customers.createCustomer({ externalId: 'deleted' })
    expect(await customers.deleteCustomer(made.id ?? '')).toBeUndefined()
    expect(await customers.getCustomer(made.id ?? '')).toMatchObject({ id: made.id, status: 'archived' })
    await expect(customers.getCustomerByExternalId('deleted')).rejects.toMatchObject({ statusCode: 404 })
  })

  it.each([
    { what: 'a wrong field', status: 400, fail: () => customers.createCustomer({ externalId: 'x', email: 'wrong' }) },
    { what: 'an id that nobody has', status: 404, fail: () => customers.getCustomer(UNKNOWN_ID) },
    { what: 'an update of nobody', status: 404, fail: () => customers.updateCustomer({ name: 'x' }, UNKNOWN_ID) },
    { what: 'an update that names nobody', status: 400, fail: () => customers.updateCustomer({ name: 'x' }) },
    { what: 'a second deletion', status: 404, fail: () => customers.deleteCustomer(UNKNOWN_ID) },
    {
      what: 'an external id that is taken',
      status: 409,
      async fail() {
        await customers.createCustomer({ externalId: 'twice' })
        await customers.createCustomer({ externalId: 'twice' })
      },
    },
  ])('reads the error of $what as $status with its message', async ({ status, fail }) => {
    const error = await fail().then(
      () => null,
      (thrown: { name: string; statusCode: number; body: string }) => thrown,
    )
    expect(error?.name).not.toBe('ResponseValidationError')
    expect(error).toMatchObject({ statusCode: status })
    expect(JSON.parse(error?.body ?? '')).toMatchObject({ success: false, http_status_code: status })
  })

  it('is refused with an invalid key', async () => {
    const { Flexprice: Sdk } = await sdkUnder(zod)
    const stranger = new Sdk({ serverURL: new URL('/v1', cluster.edges[0]).href, apiKeyAuth: 'sk_live_wrong' })
    await expect(stranger.customers.getCustomer(UNKNOWN_ID)).rejects.toMatchObject({ statusCode: 401 })
  })
})
