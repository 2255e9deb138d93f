/** An API key names its tenant and mode, and cannot be forged. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mintKey, readKey } from '../../../src/tenants/key-format.ts'

const SECRET = 'signing-secret-one-0123456789'
const OTHER = 'signing-secret-two-0123456789'
const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

const mode = fc.constantFrom('live' as const, 'test' as const)

describe('an API key', () => {
  it('has its tenant, its mode and the hash of its secret, whatever the tenant', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uuid(), mode, async (tenantId, mode) => {
        const { key, secretHash } = await mintKey(tenantId, mode, SECRET)
        expect(key).toMatch(new RegExp(`^sk_${mode}_[0-9A-Za-z]{65}$`))
        expect(await readKey(key, [SECRET])).toEqual({ tenantId, mode, secretHash })
      }),
    )
  })

  it('is invalid when any one character differs', async () => {
    const { key } = await mintKey(crypto.randomUUID(), 'live', SECRET)
    const place = fc.integer({ min: 'sk_live_'.length, max: key.length - 1 })
    await fc.assert(
      fc.asyncProperty(place, fc.constantFrom(...BASE62), async (at, digit) => {
        fc.pre(key[at] !== digit)
        expect(await readKey(key.slice(0, at) + digit + key.slice(at + 1), [SECRET])).toBeNull()
      }),
      { numRuns: 300 },
    )
  })

  it('is invalid in any other length, case or prefix, and with anything around it', async () => {
    const { key } = await mintKey(crypto.randomUUID(), 'live', SECRET)
    const wrong = [
      '',
      key.slice(0, -1),
      `${key}0`,
      ` ${key}`,
      `${key}\n`,
      key.toUpperCase(),
      key.replace('sk_live_', 'sk_prod_'),
      key.replace('sk_live_', ''),
      `sk_live_${'z'.repeat(65)}`,
    ]
    for (const text of wrong) expect(await readKey(text, [SECRET])).toBeNull()
  })

  it('is invalid in the other mode', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uuid(), mode, async (tenantId, mode) => {
        const { key } = await mintKey(tenantId, mode, SECRET)
        const other = key.replace(/^sk_(live|test)_/, mode === 'live' ? 'sk_test_' : 'sk_live_')
        expect(await readKey(other, [SECRET])).toBeNull()
      }),
    )
  })

  it('is invalid in a deployment with another signing secret', async () => {
    const { key } = await mintKey(crypto.randomUUID(), 'live', SECRET)
    expect(await readKey(key, [OTHER])).toBeNull()
    expect(await readKey(key, [])).toBeNull()
  })

  it('stays valid while signing secrets are rotated, until its own is removed', async () => {
    const { key } = await mintKey(crypto.randomUUID(), 'live', SECRET)
    expect(await readKey(key, [OTHER, SECRET])).not.toBeNull()
    expect(await readKey(key, [SECRET, OTHER])).not.toBeNull()
    expect(await readKey(key, [OTHER])).toBeNull()
  })

  it('differs from every other', async () => {
    const tenantId = crypto.randomUUID()
    const keys = await Promise.all(Array.from({ length: 100 }, () => mintKey(tenantId, 'live', SECRET)))
    expect(new Set(keys.map(({ key }) => key)).size).toBe(100)
    expect(new Set(keys.map(({ secretHash }) => secretHash)).size).toBe(100)
  })
})
