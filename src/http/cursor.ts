/**
 * Cursors of lists, for every API. A cursor is sealed: it says nothing to its reader and cannot be made by hand. It
 * belongs to its list (path, tenant, mode) and to the query of its page, because with another one it would skip or
 * repeat rows without a word. The limit and what is expanded may change from page to page.
 */
import { invalidField, type RegistryError } from '../registry/errors.ts'
import { canonicalJson } from '../shared/canonical-json.ts'
import { etagHash } from '../shared/hash.ts'
import { openSealed, seal, sealingKey } from '../shared/sealing.ts'

const KIND = 'roster cursor 1'
const ANEW = 'or leave it out to begin with the first page'

/** Parameters that a caller may change from page to page. */
const FREE = new Set(['cursor', 'limit', 'offset', 'expand'])

/** Keys by the secret that they are derived from: a deployment has one or two. */
const sealingKeys = new Map<string, CryptoKey>()

/** The list that a cursor belongs to. */
export interface PagedList {
  /** The path, or the method of RPC. */
  path: string
  /** The tenant and mode, or another text for lists over all tenants. */
  scope: string
  /** The query as it was checked. */
  query: object
}

/** The place of a request in its list. */
export interface PageCursor {
  /** The position after which the page begins, as `next` got it. Null on the first page. */
  position: string | null
  /** Returns the cursor for the page after that position. Returns null for null. */
  next(position: string | null): Promise<string | null>
}

/**
 * Returns the place of a request that sent `cursor`, or none. The first of the secrets seals, and all are tried to open.
 * Throws `RegistryError` with `invalid_input` for a text that is no cursor, or one of another list or query.
 */
export async function pageCursor(
  secrets: readonly string[],
  list: PagedList,
  cursor: string | null | undefined,
): Promise<PageCursor> {
  const place = etagHash(`${list.scope}\n${list.path}`)
  const query = etagHash(canonicalJson(bound(list.query)))
  const current = cursor == null ? null : await positionIn(secrets, { place, query }, cursor)
  return {
    position: current,
    async next(position) {
      if (position === null) return null
      // A caller that follows a log gets the same cursor for as long as nothing new is there.
      if (position === current) return cursor as string
      return seal(await keyOf(secrets[0] as string), JSON.stringify([place, query, position]))
    },
  }
}

async function positionIn(
  secrets: readonly string[],
  { place, query }: { place: string; query: string },
  cursor: string,
): Promise<string> {
  const text = await openSealed(await Promise.all(secrets.map(keyOf)), cursor)
  if (text === null) throw refused('is not a cursor', `send next_cursor of the page before as it is, ${ANEW}`)
  const [madeAt, madeFor, position] = JSON.parse(text) as [string, string, string]
  if (madeAt !== place) throw refused('belongs to another list', `send next_cursor of a page of this list, ${ANEW}`)
  if (madeFor !== query) {
    throw refused('was made for other filters or another order', `send those of the page before with it, ${ANEW}`)
  }
  return position
}

async function keyOf(secret: string): Promise<CryptoKey> {
  const known = sealingKeys.get(secret)
  if (known) return known
  const key = await sealingKey(secret, KIND)
  sealingKeys.set(secret, key)
  return key
}

function bound(query: object): object {
  return Object.fromEntries(Object.entries(query).filter(([name, value]) => !FREE.has(name) && value != null))
}

function refused(message: string, fix: string): RegistryError {
  return invalidField('cursor', message, fix)
}
