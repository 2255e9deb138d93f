import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type PagedList, pageCursor } from '../../../src/http/cursor.ts'
import { RegistryError } from '../../../src/registry/errors.ts'

const SECRET = 'a-signing-secret-of-some-length'
const OTHER = 'another-signing-secret-of-some-length'
const list: PagedList = {
  path: '/v1/customers',
  scope: 'tenant live',
  query: { status: ['draft'], metadata: { a: '1', b: '2' } },
}

async function made(at: PagedList, position: string, secrets = [SECRET]): Promise<string> {
  return (await (await pageCursor(secrets, at, null)).next(position)) ?? ''
}

const opened = (at: PagedList, cursor: string, secrets = [SECRET]) =>
  pageCursor(secrets, at, cursor).then(({ position }) => position)

async function refusal(at: PagedList, cursor: string, secrets = [SECRET]): Promise<string> {
  const error = await opened(at, cursor, secrets).catch((thrown: unknown) => thrown)
  if (!(error instanceof RegistryError) || error.failure.reason !== 'invalid_input') return 'taken'
  const [problem] = error.failure.problems
  expect(problem?.field).toBe('cursor')
  expect(problem?.fix).toContain('first page')
  return problem?.message ?? ''
}

describe('a cursor', () => {
  it('returns its position, whatever that is, and says nothing of it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', minLength: 5 }), async (position) => {
        const cursor = await made(list, position)
        expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/)
        expect(await opened(list, cursor)).toBe(position)
        expect(atob(cursor.replaceAll('-', '+').replaceAll('_', '/'))).not.toContain(position)
      }),
    )
    expect(await made(list, 'x')).not.toBe(await made(list, 'x'))
    expect(await (await pageCursor([SECRET], list, null)).next(null)).toBeNull()
  })

  it('is the same for as long as the place is the same', async () => {
    const cursor = await made(list, 'here')
    const page = await pageCursor([SECRET], list, cursor)
    expect(await page.next('here')).toBe(cursor)
    expect(await page.next('there')).not.toBe(cursor)
  })

  it('may be followed with another limit, other expansions, and the filters in another order', async () => {
    const cursor = await made({ ...list, query: { ...list.query, limit: 1, cursor: undefined } }, 'here')
    const query = { limit: 7, expand: new Set(['children']), cursor, metadata: { b: '2', a: '1' }, status: ['draft'] }
    expect(await opened({ ...list, query }, cursor)).toBe('here')
  })

  it.each([
    ['another path', { ...list, path: '/v1/customers/search' }, 'belongs to another list'],
    ['another tenant', { ...list, scope: 'other live' }, 'belongs to another list'],
    ['another mode', { ...list, scope: 'tenant test' }, 'belongs to another list'],
    [
      'another filter',
      { ...list, query: { ...list.query, status: [] } },
      'was made for other filters or another order',
    ],
    [
      'one filter more',
      { ...list, query: { ...list.query, email: 'a' } },
      'was made for other filters or another order',
    ],
    ['one filter less', { ...list, query: { status: ['draft'] } }, 'was made for other filters or another order'],
  ])('is refused with %s', async (_, other, message) => {
    expect(await refusal(other, await made(list, 'here'))).toBe(message)
  })

  it('is refused when a letter of it is another, when it is cut, and when it is made up', async () => {
    const cursor = await made(list, 'here')
    await fc.assert(
      fc.asyncProperty(fc.nat(cursor.length - 2), fc.constantFrom('A', 'z', '_', '!', ''), async (at, letter) => {
        const changed = cursor.slice(0, at) + letter + cursor.slice(at + 1)
        expect(await refusal(list, changed)).toBe(changed === cursor ? 'taken' : 'is not a cursor')
      }),
    )
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.base64String(), fc.json().map(btoaOf)), async (text) => {
        expect(await refusal(list, text)).toBe('is not a cursor')
      }),
    )
  })

  it('stays good while its secret is among those of the deployment, and no longer', async () => {
    const cursor = await made(list, 'here', [SECRET])
    expect(await opened(list, cursor, [OTHER, SECRET])).toBe('here')
    expect(await refusal(list, cursor, [OTHER])).toBe('is not a cursor')
    expect(await opened(list, await made(list, 'there', [OTHER, SECRET]), [OTHER])).toBe('there')
  })
})

function btoaOf(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')
}
