/**
 * Finds the credentials in a request. A proxy or a client library may add some of its own, such as
 * `authorization: Basic …` beside an `x-api-key`, or send a header twice, which then arrives as one with a comma. So a
 * request may have several, and the first that is valid counts. Pure.
 */

const BEARER = /^Bearer[ \t]+([^\s,]+)[ \t]*$/i
/** The way in which nearly every client writes it. To match it takes no list of groups. */
const PLAIN_BEARER = 'Bearer '
const TOKEN = /^[^\s,]+$/
/** The most credentials that are tried. Checking one costs CPU time. */
const CREDENTIALS_MAX = 4

/**
 * Returns the credential of nearly every request: the token of `authorization: Bearer …`, or without that header
 * `x-api-key`, where the FlexPrice SDK sends the key. Null for any other request.
 */
export function usualCredentialIn(headers: Headers): string | null {
  const authorization = headers.get('authorization')
  if (authorization === null) return headers.get('x-api-key')
  const token = authorization.slice(PLAIN_BEARER.length)
  if (authorization.startsWith(PLAIN_BEARER) && TOKEN.test(token)) return token
  return BEARER.exec(authorization)?.[1] ?? null
}

/** Returns all that may be a tenant's key or token, each once: from `authorization` first, then from `x-api-key`. */
export function tenantCredentialsIn(headers: Headers): string[] {
  const bearers = partsOf(headers.get('authorization')).flatMap((part) => BEARER.exec(part)?.[1] ?? [])
  return [...new Set([...bearers, ...partsOf(headers.get('x-api-key'))])].slice(0, CREDENTIALS_MAX)
}

/**
 * Returns what a request has in `x-api-key`: an admin key, or the key of an operator. Returns null if there is none. Several
 * different ones are none of them: each request is one guess.
 */
export function adminKeyIn(headers: Headers): string | null {
  const apiKey = headers.get('x-api-key')
  if (apiKey === null || apiKey === '') return null
  const [key, ...others] = new Set(partsOf(apiKey))
  return key !== undefined && others.length === 0 ? key : apiKey
}

function partsOf(header: string | null): string[] {
  if (header === null) return []
  const parts = header.split(',').map((part) => part.trim())
  return parts.filter((part) => part !== '')
}
