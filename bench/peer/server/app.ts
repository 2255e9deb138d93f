/**
 * The server that a team would write instead of Roster for one region: Fastify before PostgreSQL and Redis, with the same routes,
 * headers and answers. A read costs one round trip to Redis, and one to PostgreSQL if nothing is cached. `npm run bench:peer`
 * compares Roster with it.
 */
import { hash, randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import { fail, headersOf, jsonOf, shown } from './answers.ts'
import type { Admission, Cache, Scope, Want } from './cache.ts'
import type { Author, Customers, Row } from './customers.ts'
import { CHUNK_LINES, type ImportLine, type ImportResult, importChunk } from './import.ts'
import { CREATE, changesOf, FORMATS, UPDATE } from './input.ts'

const NOT_FOUND =
  'There is no such customer in the mode of this key: check the id, and whether the key is for live or test'
const LIMITED = 'Too many requests: wait as retry-after says'
const LIST_DEFAULT = 50
const LIST_MAX = 1_000
/** `sk_live_`, the tenant's UUID and the secret: the tenant is known before anything is looked up. */
const KEY = /^Bearer sk_(live|test)_([0-9a-f-]{36})_([\w-]{20,})$/

/** A request that was admitted. */
interface Admitted {
  scope: Scope
  author: Author
  admission: Admission
}

type Named = FastifyRequest<{ Params: { id: string } }>
type Reply = Promise<FastifyReply>

/** Returns the server. The caller makes it listen. */
export function peerServer(customers: Customers, cache: Cache) {
  const app = Fastify({ logger: false, genReqId: () => randomUUID(), ajv: { customOptions: { formats: FORMATS } } })
  const stop = (reply: FastifyReply) => reply.sent

  /** Looks up the key and takes a token, or answers the request. */
  async function admit(request: FastifyRequest, reply: FastifyReply, want: Want, name = ''): Promise<Admitted | null> {
    const requestId = request.id
    const [, mode = '', tenantId = '', secret = ''] = KEY.exec(request.headers.authorization ?? '') ?? []
    const scope = { tenantId, mode }
    const admission = tenantId === '' ? null : await cache.admit(scope, hash('sha256', secret, 'base64url'), want, name)
    if (admission === null || admission.verdict === 'unknown') {
      reply.headers(headersOf(requestId, null)).header('www-authenticate', 'Bearer realm="peer"')
      fail(reply, 401, 'unauthorized', 'What was sent is no API key')
      return null
    }
    if (admission.verdict === 'suspended') {
      fail(reply.headers(headersOf(requestId, null)), 403, 'permission_denied', 'The tenant is suspended')
      return null
    }
    reply.headers(headersOf(requestId, admission))
    if (admission.verdict === 'limited') {
      const waitSeconds = Math.ceil((1 - admission.tokens) / admission.ratePerSecond)
      fail(reply.header('retry-after', String(waitSeconds)), 429, 'too_many_requests', LIMITED, {
        reason: 'rate_limited',
      })
      return null
    }
    const wanted = request.method === 'GET' ? 'customers:read' : 'customers:write'
    if (!admission.scopes.includes(wanted)) {
      if (want === 'write') await cache.endWrite(scope, name, null)
      fail(reply, 403, 'permission_denied', `The key has no scope ${wanted}`)
      return null
    }
    return { scope, author: { actor: admission.keyId, requestId }, admission }
  }

  function send(request: FastifyRequest, reply: FastifyReply, version: number, json: string, status = 200) {
    const etag = `"${version}"`
    reply.header('etag', etag)
    if (status === 200 && request.headers['if-none-match']?.split(/\s*,\s*/).includes(etag))
      return reply.code(304).send()
    return reply.code(status).header('content-type', 'application/json').send(json)
  }

  async function read(request: Named, reply: FastifyReply, want: 'id' | 'external'): Reply {
    const { id: name } = request.params
    const admitted = await admit(request, reply, want, name)
    if (!admitted) return reply
    const { scope, admission } = admitted
    if (admission.cached) return send(request, reply, admission.cached.version, admission.cached.json)
    const row = await (want === 'id' ? customers.byId(scope, name) : customers.byExternalId(scope, name))
    if (!row) return fail(reply, 404, 'not_found', NOT_FOUND)
    const json = jsonOf(row, scope.tenantId, scope.mode)
    // The caller does not wait for the cache.
    void cache.fill(scope, cachedOf(row, json)).catch(() => undefined)
    return send(request, reply, row.version, json)
  }

  async function update(request: Named, reply: FastifyReply): Reply {
    const { id } = request.params
    const admitted = await admit(request, reply, 'write', id)
    if (!admitted) return reply
    const { scope, author } = admitted
    let written: ReturnType<typeof cachedOf> | null = null
    try {
      if (request.validationError) return invalid(request, reply)
      const versions = versionsIn(request.headers['if-match'])
      const row = await customers.update(scope, id, changesOf(request.body as object), versions, author)
      if (!row) return fail(reply, 404, 'not_found', NOT_FOUND)
      if (versions && !row.isChanged && !versions.includes(row.version)) {
        return fail(reply, 412, 'version_conflict', `The customer has version ${row.version}`)
      }
      const json = jsonOf(row, scope.tenantId, scope.mode)
      written = cachedOf(row, json)
      return send(request, reply, row.version, json)
    } finally {
      await cache.endWrite(scope, id, written)
    }
  }

  app.get<{ Params: { id: string } }>('/v1/customers/:id', (request, reply) => read(request, reply, 'id'))
  app.get<{ Params: { id: string } }>('/v1/customers/external/:id', (request, reply) =>
    read(request, reply, 'external'),
  )

  const changing = { schema: { body: UPDATE }, attachValidation: true }
  app.put<{ Params: { id: string } }>('/v1/customers/:id', changing, update)

  app.get<{ Querystring: { limit?: string; cursor?: string; q?: string } }>('/v1/customers', async (request, reply) => {
    const admitted = await admit(request, reply, 'none')
    if (!admitted) return reply
    const { tenantId, mode } = admitted.scope
    const limit = Math.min(LIST_MAX, Math.max(1, Number(request.query.limit) || LIST_DEFAULT))
    const before = request.query.cursor ? Buffer.from(request.query.cursor, 'base64url').toString() : null
    const beginnings = request.query.q?.toLowerCase().match(/\S+/g) ?? []
    const { rows, total } =
      beginnings.length === 0
        ? await customers.list(admitted.scope, limit, before)
        : await customers.search(admitted.scope, beginnings, limit, before)
    const shownRows = rows.slice(0, limit)
    const hasMore = rows.length > limit
    const cursor = hasMore ? Buffer.from(shownRows.at(-1)?.id ?? '').toString('base64url') : null
    const pagination = { total, limit, offset: shownRows.length, next_cursor: cursor, has_more: hasMore }
    const body = { items: shownRows.map((row) => shown(row, tenantId, mode)), pagination }
    return reply.header('content-type', 'application/json').send(JSON.stringify(body))
  })

  app.post('/v1/customers', { schema: { body: CREATE }, attachValidation: true }, async (request, reply) => {
    const admitted = await admit(request, reply, 'none')
    if (!admitted) return reply
    if (request.validationError) return invalid(request, reply)
    const { scope, author } = admitted
    const changes = changesOf(request.body as object)
    const row = await customers.create(scope, changes, author)
    if (!row) {
      const holder = await customers.byExternalId(scope, changes.external_id ?? '')
      const message = `external_id "${changes.external_id}" belongs to another customer, ${holder?.id}`
      return fail(reply, 409, 'already_exists', message, { reason: 'external_id_taken', customer_id: holder?.id })
    }
    const json = jsonOf(row, scope.tenantId, scope.mode)
    await cache.fill(scope, cachedOf(row, json))
    return send(request, reply, row.version, json, 201)
  })

  app.addContentTypeParser('application/x-ndjson', (_request, payload, done) => done(null, payload))
  const compiled = { valid: null as ((body: unknown) => boolean) | null }
  app.post('/v1/customers/import', async (request, reply) => {
    const admitted = await admit(request, reply, 'none')
    if (!admitted) return reply
    compiled.valid ??= request.compileValidationSchema(CREATE)
    reply.header('content-type', 'application/x-ndjson')
    return reply.send(Readable.from(imported(request.body as AsyncIterable<Buffer>, compiled.valid, admitted)))
  })

  async function* imported(
    body: AsyncIterable<Buffer>,
    valid: (body: unknown) => boolean,
    { scope, author }: Admitted,
  ): AsyncGenerator<string> {
    let line = 0
    let chunk = new Map<string, ImportLine>()
    let results: ImportResult[] = []
    const flush = async () => {
      if (chunk.size > 0) results.push(...(await importChunk(customers, cache, scope, [...chunk.values()], author)))
      results.sort((a, b) => a.line - b.line)
      const text = results.map((result) => `${JSON.stringify(result)}\n`).join('')
      chunk = new Map()
      results = []
      return text
    }
    for await (const text of linesOf(body)) {
      line++
      if (text === '') continue
      const input = parsed(text)
      if (!valid(input)) {
        const errors = [{ field: '', message: 'is not a valid customer' }]
        results.push({ line, result: 'error', id: null, external_id: externalIdIn(input), errors })
        continue
      }
      const { external_id: externalId } = input as { external_id: string }
      // A second line of the same customer comes after the first one.
      if (chunk.has(externalId) || chunk.size === CHUNK_LINES) yield await flush()
      chunk.set(externalId, { line, externalId, changes: changesOf(input as object) })
    }
    yield await flush()
  }

  app.setErrorHandler((error: { statusCode?: number; message: string }, request, reply) => {
    if (stop(reply)) return
    const status = error.statusCode ?? 500
    reply.headers(headersOf(request.id, null))
    if (status >= 500) return fail(reply, 503, 'service_unavailable', 'The database does not respond')
    return fail(reply, status, 'validation_error', error.message)
  })
  return app
}

function invalid({ validationError }: FastifyRequest, reply: FastifyReply) {
  const problems = (validationError?.validation ?? []) as { instancePath: string; message?: string }[]
  const errors = problems.map(({ instancePath, message }) => ({
    field: instancePath.slice(1).replaceAll('/', '.'),
    message,
  }))
  return fail(reply, 400, 'validation_error', validationError?.message ?? '', { errors })
}

function cachedOf(row: Row, json: string) {
  return { id: row.id, externalId: row.external_id, version: row.version, json }
}

/** Returns the versions of `if-match`; null if any will do. */
function versionsIn(header: string | undefined): number[] | null {
  if (header === undefined || header.trim() === '*') return null
  return header.split(',').map((tag) => Number(/"(\d+)"/.exec(tag)?.[1] ?? -1))
}

function externalIdIn(input: unknown): string | null {
  const { external_id: externalId } = (input ?? {}) as { external_id?: unknown }
  return typeof externalId === 'string' ? externalId : null
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

async function* linesOf(body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of body) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  yield rest
}
