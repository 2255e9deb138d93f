/**
 * A Cloudflare account on loopback, for tests of `npm run deploy`: the part of the REST API that the script and the real wrangler
 * use, with the created resources, and a list of the requests in their order. It refuses the requests that production refuses.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { bodyOf, hex, Refusal } from './answers.ts'
import { FakeD1 } from './d1.ts'
import { FakeQueues } from './queues.ts'
import { answerTail } from './tail.ts'
import { WorkerHost } from './worker-host.ts'
import { FakeWorkers } from './workers.ts'

export const ACCOUNT = '0123456789abcdef0123456789abcdef'

export class FakeCloudflare {
  /** The requests that change something, without the account's path, such as `POST /d1/database`. */
  readonly changes: string[] = []
  /** The requests that no part of the fake answers. A test that finds one here shows what to add. */
  readonly unknown: string[] = []
  /** The requests to the admin API of the deployed Worker, with their bodies. */
  readonly admitted: string[] = []
  readonly namespaces = new Map<string, string>()
  /** The jurisdictions of the buckets by their names; null for none. */
  readonly buckets = new Map<string, string | null>()
  /** The objects in R2, by bucket and key. */
  readonly objects = new Map<string, Buffer>()
  readonly workflows = new Map<string, unknown>()
  /** Runs the Worker that was deployed last, when that is the probe of `--check`. */
  readonly host = new WorkerHost()
  readonly d1 = new FakeD1(() => this.origin, this.host)
  readonly scripts = new FakeWorkers(this.d1, this.host, () => this.origin)
  readonly queueing = new FakeQueues()
  subdomain: string | null = 'acme'
  readonly #refused: { request: RegExp; refusal: Refusal }[] = []
  readonly #server = createServer((request, response) => void this.#handle(request, response))

  static async start(): Promise<FakeCloudflare> {
    const fake = new FakeCloudflare()
    await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve))
    fake.#server.on('upgrade', answerTail)
    return fake
  }

  get databases() {
    return this.d1.databases
  }

  get queues() {
    return this.queueing.queues
  }

  get workers() {
    return this.scripts.workers
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  stop(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  /** The plan. `free` has the limits of Workers Free. */
  set plan(plan: 'paid' | 'free') {
    this.d1.plan = plan
    this.scripts.plan = plan
  }

  /** From now on refuses the requests that match (`PUT /workers/scripts/roster`), with any body. */
  refuse(request: RegExp, status: number, code: number, message: string): void {
    this.#refused.push({ request, refusal: new Refusal(status, code, message) })
  }

  /** Ends the effect of `refuse`. */
  refuseNothing(): void {
    this.#refused.length = 0
  }

  async #handle(request: IncomingMessage, response: ServerResponse) {
    if (request.url?.startsWith('/probe/')) return this.host.forward(request, response)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const url = new URL(request.url ?? '/', this.origin)
    // The deployed Worker, too: the script waits until it is ready.
    if (url.pathname === '/readyz') return void response.end('{"status":"ready"}')
    if (url.pathname.startsWith('/admin/')) return this.#answerAdmin(request, url.pathname, body, response)
    if (url.pathname.startsWith('/upload/')) return this.#upload(url.pathname.slice('/upload/'.length), body, response)
    const path = url.pathname.replace(`/accounts/${ACCOUNT}`, '')
    const requested = `${request.method} ${path}`
    const refusal = this.#refused.find(({ request }) => request.test(requested))?.refusal
    const answer = refusal ?? (await this.#answer(request, path, url.searchParams, body))
    if (request.method !== 'GET' && !path.endsWith('/query')) this.changes.push(requested)
    if (answer === undefined) this.unknown.push(requested)
    const given = answer ?? new Refusal(404, 7003, 'No such route')
    response.writeHead(given instanceof Refusal ? given.status : 200, { 'content-type': 'application/json' })
    response.end(bodyOf(given))
  }

  /** Answers as the deployed Worker, which is not run, to whom makes its first operator. */
  #answerAdmin(request: IncomingMessage, path: string, body: Buffer, response: ServerResponse): void {
    const keys = [...this.workers.values()].flatMap(({ bindings }) =>
      bindings.filter(({ name }) => name === 'ADMIN_KEYS'),
    )
    const isIn = keys.some(({ text }) => text === request.headers['x-api-key'])
    this.admitted.push(`${request.method} ${path} ${body}`)
    const url = `${this.origin}/console/sign-in#token=ol_1`
    response.writeHead(isIn ? 201 : 401, { 'content-type': 'application/json' })
    response.end(JSON.stringify(path.endsWith('/sign_in_links') ? { url } : { operator_id: 'op_1' }))
  }

  #upload(filename: string, body: Buffer, response: ServerResponse): void {
    const etag = this.d1.upload(filename, body)
    if (etag === null) response.writeHead(403).end()
    else response.writeHead(200, { etag: `"${etag}"` }).end()
  }

  /** Returns the `result` of the response; undefined for an unknown request. */
  async #answer(request: IncomingMessage, path: string, query: URLSearchParams, body: Buffer): Promise<unknown> {
    const json = () => JSON.parse(body.toString() || '{}')
    const [, area, ...rest] = path.split('/')
    const requested = `${request.method} ${path}`
    if (requested === 'GET /accounts') return [{ id: ACCOUNT, name: 'Acme' }]
    if (requested === 'GET /user') return { id: 'user', email: 'ops@acme.example' }
    if (requested === 'GET /user/tokens/verify') return { id: 'token', status: 'active' }
    if (requested === 'GET /memberships') return [{ account: { id: ACCOUNT, name: 'Acme' } }]
    if (requested === 'GET /workers/subdomain')
      return this.subdomain ? { subdomain: this.subdomain } : new Refusal(404, 10007, 'none')
    if (requested === 'PUT /workers/subdomain') {
      this.subdomain = json().subdomain
      return { subdomain: this.subdomain }
    }
    if (area === 'd1') return this.d1.answer(request.method, rest.slice(1), query, json)
    if (path === '/storage/kv/namespaces') {
      if (request.method === 'GET') return [...this.namespaces].map(([title, id]) => ({ title, id }))
      const { title } = json()
      if (this.namespaces.has(title))
        return new Refusal(400, 10014, 'a namespace with this account ID and title already exists')
      this.namespaces.set(title, hex(this.namespaces.size + 1))
      return { id: this.namespaces.get(title), title }
    }
    const jurisdiction = String(request.headers['cf-r2-jurisdiction'] ?? '') || null
    if (path === '/r2/buckets') {
      const { name } = json()
      if (this.buckets.has(name)) return new Refusal(409, 10004, 'The bucket you tried to create already exists')
      this.buckets.set(name, jurisdiction)
      return { name }
    }
    if (area === 'r2' && rest.length === 2 && request.method === 'GET') {
      const name = rest[1] ?? ''
      const isThere = this.buckets.get(name) === jurisdiction
      return isThere ? { name } : new Refusal(404, 10006, 'The specified bucket does not exist')
    }
    if (area === 'r2' && request.method === 'PUT') {
      this.objects.set(`${rest[1]}/${rest.slice(3).join('/')}`, body)
      return {}
    }
    if (area === 'queues') return this.queueing.answer(request.method, rest, query, json)
    if (area === 'workflows') {
      const name = rest[0] ?? ''
      if (request.method === 'PUT') this.workflows.set(name, json())
      return this.workflows.get(name) ?? new Refusal(404, 10200, 'workflow.not_found')
    }
    if (area === 'workers' && rest[0] === 'scripts')
      return this.scripts.answer(request, rest[1] ?? '', rest.slice(2).join('/'), body)
    if (area === 'workers' && rest[0] === 'workers')
      return { name: rest[1], subdomain: { enabled: true, previews_enabled: true } }
    if (path.startsWith('/workers/services/')) return this.scripts.service(rest[1] ?? '')
    return undefined
  }
}
