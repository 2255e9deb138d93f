/** The Durable Object around the gate's core: rows that prove it current, and its alarm. */
import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { gateNameOf } from '../../../src/gate/isolate/deps.ts'
import { call, newTenant } from '../support/roster.ts'

async function gateOf({ tenantId }: { tenantId: string }) {
  const gate = env.GATE.getByName(gateNameOf({ tenantId, mode: 'live' }))
  /** Deletes the row, and returns whether it had existed. */
  const take = (name: string) =>
    runInDurableObject(
      gate,
      (_, { storage: { sql } }) => sql.exec('DELETE FROM singletons WHERE name = ?', name).rowsWritten > 0,
    )
  return { gate, take }
}

it('writes before it answers what it loaded, also when that is nothing new, and before it reports that it is there', async () => {
  const { gate, take } = await gateOf(await newTenant())
  for (let times = 0; times < 2; times++) {
    await gate.reload(Date.now())
    expect([await take('loaded'), await take('loaded')]).toEqual([true, false])
    await gate.ping()
    expect([await take('pings'), await take('pings')]).toEqual([true, false])
  }
})

it('keeps the alarm of a batch for those that follow, and sets none when it fires and nothing is left', async () => {
  const tenant = await newTenant()
  const { gate } = await gateOf(tenant)
  const alarm = () => runInDurableObject(gate, (_, { storage }) => storage.getAlarm())
  expect(await alarm()).toBeNull()
  const alarms = new Set<number | null>()
  for (const name of ['a', 'b', 'c']) {
    const { status } = await call('POST', '/v1/customers', { key: tenant.live.key, body: { external_id: name } })
    expect(status).toBe(201)
    alarms.add(await alarm())
  }
  expect([...alarms]).toEqual([expect.any(Number)])
  expect(await runDurableObjectAlarm(gate)).toBe(true)
  expect(await alarm()).toBeNull()
})

it('sets an alarm while a write is under way, by its own clock', async () => {
  const tenant = await newTenant()
  const { gate } = await gateOf(tenant)
  await gate.reload(Date.now())
  const alarmMs = await runInDurableObject(gate, async (instance, { storage }) => {
    // Checked while D1 is called: another start would find what has been stored by then.
    const writing = (instance as unknown as { write(message: object): Promise<{ ok: boolean }> }).write({
      v: 1,
      command: { kind: 'create', id: `cust_${'0'.repeat(26)}`, fields: { externalId: 'a' }, ifExists: 'fail' },
      credential: null,
      caller: 'test',
      requestId: 'req',
      reason: null,
      sentAtMs: Date.now(),
      isolate: 'isolate',
    })
    await Promise.resolve()
    const alarm = await storage.getAlarm()
    expect(await writing).toMatchObject({ ok: true })
    return alarm
  })
  expect(alarmMs).toBeGreaterThan(Date.now())
})
