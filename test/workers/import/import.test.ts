/**
 * Imports return a result for each line, store the good lines whatever the bad ones are, change nothing when the same file
 * comes again, and as a dry run return the same and store nothing.
 */
import { describe, expect, it } from 'vitest'
import { BULK_BOUNDS } from '../../../src/registry/bulk.ts'
import { admin, call, newCustomer, newKey, newTenant } from '../support/roster.ts'
import { exportAll, importLines, importStream, readResults } from './support.ts'

describe('POST /v1/customers/import', () => {
  it('creates, updates or leaves unchanged, with a result for each line', async () => {
    const { live } = await newTenant()
    const kept = await newCustomer(live.key, {
      external_id: 'kept',
      name: 'Kept',
      email: 'kept@example.com',
      metadata: { a: '1' },
    })
    await newCustomer(live.key, { external_id: 'changed', name: 'Old', email: 'old@example.com', metadata: { a: '1' } })
    const { status, headers, results, token } = await importLines(live.key, [
      { external_id: 'new', name: 'New', email: 'new@example.com', metadata: { plan: 'pro' }, address_country: 'de' },
      { external_id: 'changed', name: 'Young', email: null },
      { external_id: 'kept', name: 'Kept', metadata: { a: 1 } },
    ])
    expect(status).toBe(200)
    expect(headers.get('content-type')).toBe('application/x-ndjson')
    expect(results.map(({ line, result, external_id }) => [line, result, external_id])).toEqual([
      [1, 'created', 'new'],
      [2, 'updated', 'changed'],
      [3, 'unchanged', 'kept'],
    ])
    const all = await exportAll(live.key, token)
    expect(all).toHaveLength(3)
    const by = Object.fromEntries(all.map((customer) => [customer.external_id, customer]))
    expect(by.new).toMatchObject({
      id: results[0]?.id,
      name: 'New',
      email: 'new@example.com',
      metadata: { plan: 'pro' },
      address_country: 'DE',
      timezone: 'UTC',
      status: 'published',
      created_by: live.keyId,
    })
    expect(by.changed).toMatchObject({ name: 'Young', email: '', metadata: { a: '1' } })
    expect(by.kept).toMatchObject({ updated_at: kept.updated_at })
  })

  it('answers a bad line with the field and the fix, and imports the rest', async () => {
    const { live } = await newTenant()
    await newCustomer(live.key, {
      external_id: 'owner',
      integration_entity_mapping: [{ provider: 'stripe', id: 'cus_1' }],
    })
    const { results, token } = await importLines(live.key, [
      { external_id: 'a' },
      '{"external_id": ',
      '[1]',
      { name: 'nobody' },
      { external_id: 'b', email: 'no address' },
      { external_id: 'c', parent_customer_external_id: 'missing' },
      { external_id: 'd', integration_entity_mapping: [{ provider: 'stripe', id: 'cus_1' }] },
      { external_id: 'e', name: 'x\u0000y' },
      `{"external_id": "f", "name": "${'x'.repeat(300_000)}"}`,
      { external_id: 'g', parent_customer_external_id: 'a' },
    ])
    expect(results.map(({ line, result, errors }) => [line, result, errors[0]?.field ?? null])).toEqual([
      [1, 'created', null],
      [2, 'error', ''],
      [3, 'error', ''],
      [4, 'error', 'external_id'],
      [5, 'error', 'email'],
      [6, 'error', 'parent_customer_external_id'],
      [7, 'error', 'integration_entity_mapping'],
      [8, 'error', 'name'],
      [9, 'error', ''],
      [10, 'created', null],
    ])
    for (const { errors } of results) for (const { message, fix } of errors) expect(message && fix).not.toBe('')
    const all = await exportAll(live.key, token)
    expect(all.map((customer) => customer.external_id).sort()).toEqual(['a', 'g', 'owner'])
  })

  it('refuses a line with two faults for the one that a PUT names', async () => {
    const { live } = await newTenant()
    const integrations = { integration_entity_mapping: [{ provider: 'stripe', id: 'taken' }] }
    await newCustomer(live.key, { external_id: 'holder', ...integrations })
    const both = { ...integrations, onboarding_workflow_name: 'unknown' }
    const put = await call('PUT', '/v1/customers/external/new', { key: live.key, body: both })
    const { results } = await importLines(live.key, [{ external_id: 'new', ...both }])
    expect(put.status).toBe(400)
    expect(results).toMatchObject([{ result: 'error', errors: put.body.details.errors }])
  })

  it('changes nothing when the same file is sent again', async () => {
    const { live } = await newTenant()
    const lines = Array.from({ length: 1_200 }, (_, at) => ({
      external_id: `c_${at}`,
      name: `Customer ${at}`,
      email: `c${at}@example.com`,
      metadata: { b: String(at), a: '1' },
      ...(at % 10 === 9 && { parent_customer_external_id: `c_${at - 5}` }),
      ...(at % 7 === 0 && { integration_entity_mapping: [{ provider: 'stripe', id: `cus_${at}`, zone: 'eu' }] }),
    }))
    const first = await importLines(live.key, lines)
    expect(new Set(first.results.map(({ result }) => result))).toEqual(new Set(['created']))
    const before = await exportAll(live.key, first.token)
    expect(before).toHaveLength(1_200)
    const second = await importLines(live.key, lines)
    expect(new Set(second.results.map(({ result }) => result))).toEqual(new Set(['unchanged']))
    expect(await exportAll(live.key, second.token)).toEqual(before)
  })

  it('refuses a caller that may not import, each kind with a status of its own', async () => {
    const { live, tenantId } = await newTenant()
    const reader = await newKey(tenantId, { scopes: ['customers:read'] })
    expect((await importLines(reader.key, [{ external_id: 'a' }])).status).toBe(403)
    expect((await importLines(`${live.key}x`, [{ external_id: 'a' }])).status).toBe(401)
    const json = { 'content-type': 'application/json' }
    expect((await importLines(live.key, [{ external_id: 'a' }], { headers: json })).status).toBe(415)
    expect(
      (
        await call('POST', '/v1/customers/import?dryrun=true', {
          key: live.key,
          body: '',
          headers: { 'content-type': 'application/jsonl' },
        })
      ).status,
    ).toBe(400)
    await admin('PUT', `/${tenantId}`, { status: 'suspended' })
    expect((await importLines(live.key, [{ external_id: 'a' }])).body?.details?.reason).toBe('tenant_suspended')
  })

  it('answers the lines that it has received before the rest comes', async () => {
    const { live } = await newTenant()
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
    const writer = writable.getWriter()
    const encoder = new TextEncoder()
    const sending = importStream(live.key, readable)
    void writer.write(encoder.encode('{"external_id": "a"}\n{"external'))
    const reader = (await sending).body?.getReader()
    const first = await reader?.read()
    expect(readResults(new TextDecoder().decode(first?.value)).results).toMatchObject([{ line: 1, result: 'created' }])
    void writer.write(encoder.encode('_id": "b"}'))
    void writer.close()
    const second = await reader?.read()
    expect(readResults(new TextDecoder().decode(second?.value)).results).toMatchObject([{ line: 2, result: 'created' }])
    expect((await reader?.read())?.done).toBe(true)
  })

  it('reads no further than a slow reader lets it answer', async () => {
    const { live } = await newTenant()
    const encoder = new TextEncoder()
    let pulled = 0
    const upload = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          const lines = Array.from({ length: 500 }, () => `{"external_id": "c_${pulled++}"}\n`)
          if (pulled > 20_000) controller.close()
          else controller.enqueue(encoder.encode(lines.join('')))
        },
      },
      { highWaterMark: 0 },
    )
    const reader = (await importStream(live.key, upload)).body?.getReader()
    await reader?.read()
    await reader?.read()
    expect(pulled).toBeLessThan(5_000)
    await reader?.cancel()
  })

  it('stores only whole chunks when the caller disconnects, also where a chunk is stored by halves', async () => {
    const { live } = await newTenant()
    const integrations = { integration_entity_mapping: [{ provider: 'stripe', id: '1' }] }
    await newCustomer(live.key, { external_id: 'owner', ...integrations })
    const encoder = new TextEncoder()
    let sent = 0
    const upload = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          const lines = Array.from({ length: 500 }, () => ({
            external_id: `c_${sent++}`,
            ...(sent % 500 === 7 && integrations),
          }))
          if (sent > 5_000) controller.close()
          else controller.enqueue(encoder.encode(lines.map((line) => `${JSON.stringify(line)}\n`).join('')))
        },
      },
      { highWaterMark: 0 },
    )
    const reader = (await importStream(live.key, upload)).body?.getReader()
    await reader?.read()
    void reader?.read().catch(() => undefined)
    await reader?.cancel()
    let before = -1
    let there = (await exportAll(live.key)).length - 1
    while (there !== before) {
      await new Promise((resolve) => setTimeout(resolve, 1_200))
      before = there
      there = (await exportAll(live.key)).length - 1
    }
    expect(there).toBeGreaterThan(0)
    expect(there).toBeLessThan(499 * 10)
    const taken = Array.from({ length: 5_000 }, (_, at): number => ((at + 1) % 500 === 7 ? 0 : 1))
    const { chunkLinesMax } = BULK_BOUNDS
    const afterChunks = taken.flatMap((_, at) =>
      (at + 1) % chunkLinesMax === 0 ? [taken.slice(0, at + 1).reduce((sum, one) => sum + one, 0)] : [],
    )
    expect(afterChunks).toContain(there)
  })

  it('returns the results of a dry run and stores nothing', async () => {
    const { live } = await newTenant()
    await newCustomer(live.key, { external_id: 'kept', name: 'Kept' })
    await newCustomer(live.key, {
      external_id: 'changed',
      integration_entity_mapping: [{ provider: 'stripe', id: '1' }],
    })
    const before = await exportAll(live.key)
    const lines = [
      { external_id: 'parent' },
      { external_id: 'child', parent_customer_external_id: 'parent' },
      { external_id: 'changed', name: 'New' },
      { external_id: 'kept', name: 'Kept' },
      { external_id: 'orphan', parent_customer_external_id: 'nobody' },
      { external_id: 'thief', integration_entity_mapping: [{ provider: 'stripe', id: '1' }] },
      { external_id: 'late', email: 'bad' },
      ...Array.from({ length: 600 }, (_, at) => ({ external_id: `many_${at}`, parent_customer_external_id: 'child' })),
    ]
    const dry = await importLines(live.key, lines, { dryRun: true })
    expect(await exportAll(live.key)).toEqual(before)
    const wet = await importLines(live.key, lines)
    const resultsOf = ({ results }: typeof dry) =>
      results.map(({ line, result, external_id, errors }) => ({ line, result, external_id, errors }))
    expect(resultsOf(dry)).toEqual(resultsOf(wet))
    expect(wet.results.slice(0, 7).map(({ result }) => result)).toEqual([
      'created',
      'created',
      'updated',
      'unchanged',
      'error',
      'error',
      'error',
    ])
  })

  it('takes a permit for itself and one for every hundred lines', async () => {
    const { live } = await newTenant({
      tier: 'custom',
      limits: { requests_per_second: 1, burst: 100, annual_commitment: 0, annual_validation_limit: 1_000_000 },
    })
    const lines = Array.from({ length: 950 }, (_, at) => ({ external_id: `c_${at}` }))
    const sentAtMs = Date.now()
    await importLines(live.key, lines)
    const { headers } = await call('GET', '/v1/customers?limit=1', { key: live.key })
    const refilled = Math.ceil((Date.now() - sentAtMs) / 1_000)
    // 1 for the import itself, 5 and 5 for the chunks, 1 for this read.
    const left = Number(headers.get('x-ratelimit-remaining'))
    expect(left).toBeGreaterThanOrEqual(88)
    expect(left).toBeLessThanOrEqual(88 + refilled)
  })

  it('waits for permits instead of failing', async () => {
    const { live } = await newTenant({
      tier: 'custom',
      limits: { requests_per_second: 10, burst: 4, annual_commitment: 0, annual_validation_limit: 1_000_000 },
    })
    const started = Date.now()
    const { results } = await importLines(
      live.key,
      Array.from({ length: 1_500 }, (_, at) => ({ external_id: `c_${at}` })),
    )
    expect(new Set(results.map(({ result }) => result))).toEqual(new Set(['created']))
    expect(results).toHaveLength(1_500)
    // 16 permits, of which the burst has 4.
    expect(Date.now() - started).toBeGreaterThanOrEqual(1_100)
  })

  it('stops at the next chunk once the tenant is suspended, and names the line', async () => {
    const { live, tenantId } = await newTenant()
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
    const writer = writable.getWriter()
    const encoder = new TextEncoder()
    const sending = importStream(live.key, readable)
    void writer.write(encoder.encode('{"external_id": "a"}\n'))
    const reader = (await sending).body?.getReader()
    await reader?.read()
    await admin('PUT', `/${tenantId}`, { status: 'suspended' })
    writer.write(encoder.encode('not json\n{"external_id": "b"}\n{"external_id": "c"}\n')).catch(() => undefined)
    const last = readResults(new TextDecoder().decode((await reader?.read())?.value)).results
    expect(last).toMatchObject([
      { line: 2, result: 'error' },
      { line: 3, result: 'error', stopped: true, external_id: 'b' },
    ])
    expect(last[1]?.errors[0]?.message).toContain('suspended')
    expect((await reader?.read())?.done).toBe(true)
    await admin('PUT', `/${tenantId}`, { status: 'active' })
    expect((await exportAll(live.key)).map(({ external_id }) => external_id)).toEqual(['a'])
  })

  it('is visible to a read with the token of a line, in memory and in KV alike', async () => {
    const { live } = await newTenant()
    const customer = await newCustomer(live.key, { external_id: 'a', name: 'Old' })
    for (let at = 0; at < 3; at++) await call('GET', `/v1/customers/${customer.id}`, { key: live.key })
    const { token } = await importLines(live.key, [{ external_id: 'a', name: 'New' }])
    const headers = { 'consistency-token': token ?? '' }
    const read = await call('GET', `/v1/customers/${customer.id}`, { key: live.key, headers })
    expect(read.body.name).toBe('New')
  })
})
