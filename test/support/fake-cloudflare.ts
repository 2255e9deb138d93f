/**
 * A Cloudflare account on loopback, for tests of `npm run deploy`: the part of the REST API that the script and the real wrangler
 * use, with what was created, and a list of what was asked in which order. D1 is a SQLite in memory, so migrations really run.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DatabaseSync } from 'node:sqlite'

export const ACCOUNT = '0123456789abcdef0123456789abcdef'

interface FakeDatabase {
  uuid: string
  name: string
  running_in_region: string
  read_replication: { mode: string }
  sqlite: DatabaseSync
}

interface Binding {
  type: string
  name: string
  text?: string
  [field: string]: unknown
}

interface Metadata {
  bindings: Binding[]
  migrations?: { new_tag: string }
}

/** A Worker as it was last uploaded; what it inherits has been resolved. */
interface FakeWorker {
  bindings: Binding[]
  crons: unknown
  migrationTag: string | undefined
  /** Tables of its D1 when the version arrived. */
  tablesAtUpload: string[]
}

export class FakeCloudflare {
  /** `POST /d1/database`: whatever changes something, without the account's path. */
  readonly changes: string[] = []
  /** What nothing here answers; a test that finds something here knows what to add. */
  readonly unknown: string[] = []
  readonly databases = new Map<string, FakeDatabase>()
  readonly namespaces = new Map<string, string>()
  readonly queues = new Map<string, { consumers: unknown[] }>()
  readonly workflows = new Map<string, unknown>()
  readonly workers = new Map<string, FakeWorker>()
  subdomain: string | null = 'acme'
  refuseUploads = false
  refuseMigrations = false
  /** The newest version of each, which serves nobody before it is deployed. */
  readonly #versions = new Map<string, FakeWorker>()
  readonly #server = createServer((request, response) => void this.#handle(request, response))

  static async start(): Promise<FakeCloudflare> {
    const fake = new FakeCloudflare()
    await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve))
    return fake
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  stop(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  async #handle(request: IncomingMessage, response: ServerResponse) {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const url = new URL(request.url ?? '/', this.origin)
    // The deployed Worker, too: the script waits until it is ready.
    if (url.pathname === '/readyz') return void response.end('{"status":"ready"}')
    const path = url.pathname.replace(`/accounts/${ACCOUNT}`, '')
    const body = Buffer.concat(chunks)
    const answer = await this.#answer(request, path, url.searchParams, body)
    if (request.method !== 'GET' && !path.endsWith('/query')) this.changes.push(`${request.method} ${path}`)
    if (answer === undefined) this.unknown.push(`${request.method} ${path}`)
    const refusal = answer === undefined || answer instanceof Refusal
    const { status, code, message } = answer instanceof Refusal ? answer : new Refusal(404, 7003, 'No such route')
    response.writeHead(refusal ? status : 200, { 'content-type': 'application/json' })
    const list = Array.isArray(answer) ? { result_info: { page: 1, total_pages: 1, count: answer.length } } : {}
    response.end(
      JSON.stringify(
        refusal
          ? { success: false, errors: [{ code, message }], messages: [], result: null }
          : { success: true, errors: [], messages: [], result: answer, ...list },
      ),
    )
  }

  /** The `result` of the answer; undefined for what is not known here. */
  async #answer(request: IncomingMessage, path: string, query: URLSearchParams, body: Buffer): Promise<unknown> {
    const json = () => JSON.parse(body.toString() || '{}')
    const [, area, ...rest] = path.split('/')
    const asked = `${request.method} ${path}`
    if (asked === 'GET /accounts') return [{ id: ACCOUNT, name: 'Acme' }]
    if (asked === 'GET /user') return { id: 'user', email: 'ops@acme.example' }
    if (asked === 'GET /memberships') return [{ account: { id: ACCOUNT, name: 'Acme' } }]
    if (asked === 'GET /workers/subdomain')
      return this.subdomain ? { subdomain: this.subdomain } : new Refusal(404, 10007, 'none')
    if (asked === 'PUT /workers/subdomain') {
      this.subdomain = json().subdomain
      return { subdomain: this.subdomain }
    }
    if (area === 'd1') return this.#d1(request.method, rest.slice(1), json)
    if (path === '/storage/kv/namespaces') {
      if (request.method === 'GET') return [...this.namespaces].map(([title, id]) => ({ title, id }))
      const { title } = json()
      if (this.namespaces.has(title))
        return new Refusal(400, 10014, 'a namespace with this account ID and title already exists')
      this.namespaces.set(title, hex(this.namespaces.size + 1))
      return { id: this.namespaces.get(title), title }
    }
    if (area === 'queues') return this.#queue(request.method, rest, query, json)
    if (area === 'workflows') {
      const name = rest[0] ?? ''
      if (request.method === 'PUT') this.workflows.set(name, json())
      return this.workflows.get(name) ?? new Refusal(404, 10200, 'workflow.not_found')
    }
    if (area === 'workers' && rest[0] === 'scripts')
      return this.#script(request, rest[1] ?? '', rest.slice(2).join('/'), body)
    if (area === 'workers' && rest[0] === 'workers')
      return { name: rest[1], subdomain: { enabled: true, previews_enabled: true } }
    if (path.startsWith('/workers/services/')) {
      const worker = this.workers.get(rest[1] ?? '')
      const script = { migration_tag: worker?.migrationTag }
      return worker ? { id: rest[1], default_environment: { environment: 'production', script } } : NO_WORKER
    }
    return undefined
  }

  #d1(method: string | undefined, [id, action]: string[], json: () => Record<string, string>): unknown {
    if (id === undefined) {
      const { name = '', primary_location_hint: hint = 'weur' } = json()
      if (this.#database(name)) return new Refusal(400, 7502, 'exists')
      const uuid = `00000000-0000-4000-8000-${String(this.databases.size + 1).padStart(12, '0')}`
      const region = hint.toUpperCase()
      const sqlite = new DatabaseSync(':memory:')
      this.databases.set(name, {
        uuid,
        name,
        running_in_region: region,
        read_replication: { mode: 'disabled' },
        sqlite,
      })
      return { uuid, name }
    }
    const database = this.#database(decodeURIComponent(id))
    if (!database) return new Refusal(404, 7404, 'The database could not be found')
    if (action === 'query' && this.refuseMigrations) return new Refusal(400, 7500, 'Refused for the test')
    if (action === 'query')
      return [{ success: true, meta: { duration: 0 }, results: execute(database.sqlite, json().sql ?? '') }]
    if (method === 'PUT') Object.assign(database, json())
    const { sqlite: _, ...told } = database
    return told
  }

  #database(nameOrId: string): FakeDatabase | undefined {
    return [...this.databases.values()].find(({ name, uuid }) => name === nameOrId || uuid === nameOrId)
  }

  #queue(
    method: string | undefined,
    [id, consumers]: string[],
    query: URLSearchParams,
    json: () => Record<string, string>,
  ): unknown {
    if (id === undefined && method === 'GET') {
      const names = query.getAll('name')
      return [...this.queues]
        .filter(([name]) => names.length === 0 || names.includes(name))
        .map(([name, { consumers }]) => ({ queue_name: name, queue_id: name, consumers, producers: [] }))
    }
    if (id === undefined) {
      const { queue_name: name = '' } = json()
      if (this.queues.has(name)) return new Refusal(409, 11009, 'Queue name already taken')
      this.queues.set(name, { consumers: [] })
      return { queue_name: name, queue_id: name }
    }
    if (consumers === 'consumers' && method === 'POST') {
      const made = { ...json(), consumer_id: `${id}-consumer`, type: 'worker', script: json().script_name }
      this.queues.get(id)?.consumers.push(made)
      return made
    }
    if (consumers === 'consumers') return method === 'GET' ? (this.queues.get(id)?.consumers ?? []) : json()
    return undefined
  }

  async #script(request: IncomingMessage, name: string, action: string, body: Buffer): Promise<unknown> {
    const worker = this.workers.get(name)
    if (request.method === 'PUT' && action === '')
      return this.#upload(name, await metadataOf(request, body), this.workers)
    if (request.method === 'POST' && action === 'versions') {
      return this.#upload(name, await metadataOf(request, body), this.#versions)
    }
    if (request.method === 'POST' && action === 'deployments') {
      this.workers.set(name, this.#versions.get(name) as FakeWorker)
      return { id: 'deployment' }
    }
    if (action === 'assets-upload-session') return { jwt: 'assets', buckets: [] }
    if (!worker) return NO_WORKER
    if (action === 'secrets') return worker.bindings.filter(({ type }) => type === 'secret_text')
    if (action === 'settings' || action === 'script-settings') return { bindings: worker.bindings, tags: [] }
    if (action === 'schedules') {
      worker.crons = JSON.parse(body.toString())
      return { schedules: worker.crons }
    }
    if (action === 'subdomain') return { enabled: true, previews_enabled: true }
    if (action === 'deployments') {
      const [version] = [{ version_id: '00000000-0000-4000-8000-000000000000', percentage: 100 }]
      return { id: 'deployment', deployments: [{ id: 'deployment', source: 'wrangler', versions: [version] }] }
    }
    if (action.startsWith('versions')) return { id: 'version', resources: { script: {}, bindings: worker.bindings } }
    return undefined
  }

  #upload(name: string, metadata: Metadata, into: Map<string, FakeWorker>): unknown {
    if (this.refuseUploads) return new Refusal(400, 10021, 'Refused for the test')
    const before = this.workers.get(name)
    const bindings = metadata.bindings.map((binding) =>
      binding.type === 'inherit' ? before?.bindings.find((known) => known.name === binding.name) : binding,
    )
    if (bindings.includes(undefined)) return new Refusal(400, 10057, 'inherit binding is invalid')
    const database = this.#database(String(bindings.find((binding) => binding?.type === 'd1')?.id))
    const tables = database?.sqlite.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all() ?? []
    const tablesAtUpload = tables.map((table) => String(table.name))
    const migrationTag = metadata.migrations?.new_tag ?? before?.migrationTag
    into.set(name, { bindings: bindings as Binding[], crons: before?.crons, migrationTag, tablesAtUpload })
    return {
      id: '00000000-0000-4000-8000-000000000000',
      etag: 'etag',
      startup_time_ms: 1,
      metadata: { has_preview: false },
      resources: { script: { etag: 'etag' } },
    }
  }
}

class Refusal {
  readonly status: number
  readonly code: number
  readonly message: string
  constructor(status: number, code: number, message: string) {
    this.status = status
    this.code = code
    this.message = message
  }
}

const NO_WORKER = new Refusal(404, 10007, 'This Worker does not exist on your account.')

function hex(number: number): string {
  return number.toString(16).padStart(32, '0')
}

/** One statement answers its rows; a migration is many, and answers none. */
function execute(sqlite: DatabaseSync, sql: string): unknown[] {
  if (/^\s*(SELECT|PRAGMA)/i.test(sql)) return sqlite.prepare(sql).all()
  sqlite.exec(sql)
  return []
}

async function metadataOf(request: IncomingMessage, body: Buffer): Promise<Metadata> {
  const headers = { 'content-type': request.headers['content-type'] ?? '' }
  const form = await new Response(new Uint8Array(body), { headers }).formData()
  const metadata = form.get('metadata')
  return JSON.parse(typeof metadata === 'string' ? metadata : await (metadata as File).text())
}
