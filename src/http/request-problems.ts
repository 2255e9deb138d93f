/**
 * Says what a request sent that could not be read, in the words that every HTTP API uses: a credential of the wrong kind,
 * no body, another content type. A credential is judged by its form alone and never repeated, so no text tells whether a
 * guess was near.
 */
import type { InputProblem, RequestFailure } from '../registry/errors.ts'
import { shown } from '../shared/shown-text.ts'
import { SESSION_COOKIE } from './console-request.ts'

type Sent = NonNullable<Extract<RequestFailure, { reason: 'unauthorized' }>['sent']>

const KEY = /^sk_(?:live|test)_[0-9A-Za-z]{65}$/
const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/

/** Returns the kind of credential that the headers hold, by its form. */
export function sentCredential(headers: Headers): Sent {
  const authorization = headers.get('authorization')
  const apiKey = headers.get('x-api-key')
  if (authorization === null && !apiKey) return ambientCredential(headers)
  const bearer = authorization === null ? null : /^Bearer +(.+)$/i.exec(authorization)?.[1]?.trim()
  if (bearer === undefined && !apiKey) return 'other_scheme'
  const text = apiKey || bearer || ''
  if (KEY.test(text)) return 'api_key'
  if (text.startsWith('sk_')) return 'cut_api_key'
  if (TOKEN.test(text)) return 'token'
  return bearer ? 'other_bearer' : 'other'
}

/** Returns the kind of credential of an operator that a browser has sent by itself. */
function ambientCredential(headers: Headers): Sent {
  if (headers.get('cookie')?.includes(SESSION_COOKIE)) return 'session'
  return headers.has('cf-access-jwt-assertion') ? 'access' : 'nothing'
}

const NOT_AN_API_KEY =
  'What was sent is no API key: one begins with sk_live_ or sk_test_. The key of an operator is for /admin, and for /v1 with roster-tenant and roster-mode'
const NO_API_KEY = 'No API key was sent: send Authorization: Bearer <key>, or x-api-key: <key>'
const OF_TENANT: Record<Sent, string> = {
  nothing: NO_API_KEY,
  link: NO_API_KEY,
  session: NO_API_KEY,
  access: NO_API_KEY,
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

const NOT_A_KEY_OF_OPERATORS =
  'The key is not valid: it was revoked or has expired, or it is none. Send the key of an operator, or one of the deployment’s ADMIN_KEYS, as x-api-key'
const API_KEY_AT_ADMIN =
  'What was sent is an API key of a tenant, which is for /v1 and /customers: send the key of an operator as x-api-key'
const OF_ADMIN: Record<Sent, string> = {
  nothing: 'No key was sent: send the key of an operator, or an admin key, as x-api-key: <key>',
  other_scheme: 'The key of an operator is not sent as authorization: send it as x-api-key: <key>',
  api_key: API_KEY_AT_ADMIN,
  cut_api_key: API_KEY_AT_ADMIN,
  token: 'What was sent is a login token, which is for /customers: send the key of an operator as x-api-key',
  other_bearer: 'The key of an operator is not sent as authorization: send it as x-api-key: <key>',
  other: NOT_A_KEY_OF_OPERATORS,
  login: NOT_A_KEY_OF_OPERATORS,
  link: 'The sign-in link was used, has expired, or is none: have an owner make another, or sign in with a key',
  session:
    'The session has ended, or the request does not come from the console: sign in again. A program sends roster-console: 1 with the cookie',
  access:
    'Cloudflare Access let you in, but no operator has your e-mail address here: have an owner add you. A program sends roster-console: 1',
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
