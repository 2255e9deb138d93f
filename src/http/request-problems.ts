/**
 * Says what a request sent that could not be read, in the words that every HTTP API uses: a credential of the wrong kind,
 * no body, another content type. A credential is judged by its form alone and never repeated, so no text tells whether a
 * guess was near.
 */
import type { InputProblem, RequestFailure } from '../registry/errors.ts'
import { shown } from '../shared/shown-text.ts'

type Sent = NonNullable<Extract<RequestFailure, { reason: 'unauthorized' }>['sent']>

const KEY = /^sk_(?:live|test)_[0-9A-Za-z]{65}$/
const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/

/** Returns the kind of credential that the headers hold, by its form. */
export function sentCredential(headers: Headers): Sent {
  const authorization = headers.get('authorization')
  const apiKey = headers.get('x-api-key')
  if (authorization === null && !apiKey) return 'nothing'
  const bearer = authorization === null ? null : /^Bearer +(.+)$/i.exec(authorization)?.[1]?.trim()
  if (bearer === undefined && !apiKey) return 'other_scheme'
  const text = apiKey || bearer || ''
  if (KEY.test(text)) return 'api_key'
  if (text.startsWith('sk_')) return 'cut_api_key'
  if (TOKEN.test(text)) return 'token'
  return bearer ? 'other_bearer' : 'other'
}

const NOT_AN_API_KEY =
  'What was sent is no API key: one begins with sk_live_ or sk_test_. An admin key is for /admin only'
const OF_TENANT: Record<Sent, string> = {
  nothing: 'No API key was sent: send Authorization: Bearer <key>, or x-api-key: <key>',
  other_scheme: 'The authorization header is no bearer token: send Authorization: Bearer <key>, or x-api-key: <key>',
  api_key:
    'The API key is not valid: it was revoked or rotated, has expired, or is of another deployment. Send one that is in use',
  cut_api_key:
    'The API key is not whole: one is sk_live_ or sk_test_ and 65 letters and digits. Copy it again, without quotes or spaces',
  token: 'The token is not valid or has expired: get another from GET /login, or send an API key',
  other_bearer: NOT_AN_API_KEY,
  other: NOT_AN_API_KEY,
  login:
    'The account id or the API key is not right: send both with HTTP Basic, the account id as the name and a live or test key as the password',
}

const NOT_AN_ADMIN_KEY = 'The admin key is not valid: send one of the deployment’s ADMIN_KEYS as x-api-key'
const API_KEY_AT_ADMIN =
  'What was sent is an API key of a tenant, which is for /v1 and /customers: send an admin key as x-api-key'
const OF_ADMIN: Record<Sent, string> = {
  nothing: 'No admin key was sent: send it as x-api-key: <admin key>',
  other_scheme: 'An admin key is not sent as authorization: send it as x-api-key: <admin key>',
  api_key: API_KEY_AT_ADMIN,
  cut_api_key: API_KEY_AT_ADMIN,
  token: 'What was sent is a login token, which is for /customers: send an admin key as x-api-key',
  other_bearer: 'An admin key is not sent as authorization: send it as x-api-key: <admin key>',
  other: NOT_AN_ADMIN_KEY,
  login: NOT_AN_ADMIN_KEY,
}

/** Returns the sentence for a refused credential of a tenant. */
export function credentialText(sent: Sent = 'nothing'): string {
  return OF_TENANT[sent]
}

/** Returns the sentence for a refused credential of an operator. */
export function adminCredentialText(sent: Sent = 'nothing'): string {
  return OF_ADMIN[sent]
}

/** Returns the problem of a body that is not JSON. */
export function bodyProblem({ found }: Extract<RequestFailure, { reason: 'body_not_json' }>): InputProblem {
  const fix = 'send one JSON object, such as {"name": "Acme"}'
  if (found === 'nothing') return { field: '', message: 'is missing', fix }
  if (found === 'not_utf8') return { field: '', message: 'is not UTF-8', fix: 'send JSON in UTF-8' }
  return { field: '', message: `is not JSON${found ? `: ${found}` : ''}`, fix }
}

/** Returns the problem of a body of another type. */
export function contentTypeProblem({
  contentType,
  wanted = 'application/json',
}: Extract<RequestFailure, { reason: 'body_not_supported' }>): InputProblem {
  const message = contentType === '' ? 'is missing' : `is ${shown(contentType)}, which is not read here`
  return { field: 'content-type', message, fix: `send content-type: ${wanted}` }
}

/** Returns the line and column at which a text stops being JSON; null if it is JSON, or its parser does not say where. */
export function placeOfSyntaxError(text: string): string | null {
  try {
    JSON.parse(text)
    return null
  } catch (error) {
    // The message of the parser quotes the text, which may be personal data. Only the position is used.
    const at = /position (\d+)/.exec(String(error))?.[1]
    if (at === undefined) return /end of JSON input/.test(String(error)) ? 'it ends too early' : null
    const before = text.slice(0, Number(at)).split('\n')
    return `line ${before.length}, column ${(before.at(-1) ?? '').length + 1}`
  }
}
