/** The texts of keys, sessions and sign-in links: which are genuine, for any that were made and any change of them. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type CredentialKind,
  isOver,
  mintCredential,
  readCredential,
  sealOfAdminKey,
} from '../../../src/operators/credential.ts'
import { SESSION_TTL_MS, SIGN_IN_LINK_TTL_MS } from '../../../src/operators/operator.ts'
import { newId } from '../../../src/shared/ids.ts'

const SECRET = 'signing-secret-0123456789abcdef'
const OLDER = 'older-signing-secret-0123456789'
const IDS = { key: 'operatorKey', session: 'operatorSession', link: 'signInLink' } as const
const KINDS = Object.keys(IDS) as CredentialKind[]
const kinds = fc.constantFrom(...KINDS)
const mint = (kind: CredentialKind, secret = SECRET) => mintCredential(kind, newId(IDS[kind], Date.now()), secret)

describe('a credential of an operator', () => {
  it('is read as what it was made, by any secret that is still in use, and as no other kind', async () => {
    await fc.assert(
      fc.asyncProperty(kinds, kinds, async (kind, other) => {
        const { text, ...stored } = await mint(kind)
        expect(await readCredential(kind, text, [SECRET])).toEqual(stored)
        expect(await readCredential(kind, text, [OLDER, SECRET])).toEqual(stored)
        expect(await readCredential(kind, text, [OLDER])).toBeNull()
        if (other !== kind) expect(await readCredential(other, text, [SECRET])).toBeNull()
        const [prefix = ''] = (await mint(other)).text.split('_')
        const renamed = text.replace(/^\w+?_/, `${prefix}_`)
        if (other !== kind) expect(await readCredential(other, renamed, [SECRET])).toBeNull()
      }),
      { numRuns: 30 },
    )
  })

  it('is none once a character of it is another, is missing or is added', async () => {
    const { text } = await mint('key')
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length - 1), fc.constantFrom(...'0Aa_z9-'), async (at, character) => {
        const changed = text.slice(0, at) + character + text.slice(at + 1)
        if (changed !== text) expect(await readCredential('key', changed, [SECRET])).toBeNull()
        expect(await readCredential('key', text.slice(0, at) + text.slice(at + 1), [SECRET])).toBeNull()
        expect(await readCredential('key', text.slice(0, at) + character + text.slice(at), [SECRET])).toBeNull()
      }),
      { numRuns: 60 },
    )
  })

  it('has a secret of its own, and its stored hash says nothing about it', async () => {
    const made = await Promise.all(Array.from({ length: 50 }, () => mint('session')))
    expect(new Set(made.map(({ secretHash }) => secretHash)).size).toBe(50)
    for (const { text, secretHash } of made) expect(text).not.toContain(secretHash)
  })

  it('seals an admin key so that only the same session and the same key make the seal', async () => {
    const [one, other] = [(await mint('session')).text, (await mint('session')).text]
    const seal = await sealOfAdminKey(one, 'admin-key')
    expect(await sealOfAdminKey(one, 'admin-key')).toBe(seal)
    expect(await sealOfAdminKey(other, 'admin-key')).not.toBe(seal)
    expect(await sealOfAdminKey(one, 'admin-kex')).not.toBe(seal)
  })
})

it('says by its id alone when a session or a link is over, and never that a key is', () => {
  const madeMs = Date.now()
  const over = (kind: CredentialKind, ageMs: number) => isOver(kind, newId(IDS[kind], madeMs), madeMs + ageMs)
  for (const [kind, ttlMs] of [
    ['session', SESSION_TTL_MS],
    ['link', SIGN_IN_LINK_TTL_MS],
  ] as const) {
    expect([over(kind, ttlMs - 1), over(kind, ttlMs)]).toEqual([false, true])
  }
  expect(over('key', 100 * SESSION_TTL_MS)).toBe(false)
})
