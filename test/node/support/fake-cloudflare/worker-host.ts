/**
 * Runs the Worker that was uploaded to the fake account in a workerd of its own, and passes requests on to it. Where workerd is kinder
 * than Cloudflare, `production` responds in its place.
 */
import { type IncomingMessage, request as requestHttp, type ServerResponse } from 'node:http'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'

/** The text of a Worker's modules by their names, and the metadata of `wrangler deploy`. */
export interface Upload {
  modules: Record<string, string>
  metadata: {
    main_module: string
    compatibility_date: string
    compatibility_flags?: string[]
    bindings: { type: string; name: string; text?: string; id?: string; class_name?: string }[]
  }
}

/** Responds to a call of an endpoint in place of workerd, or changes workerd's response (`local`). */
export type Production = (endpoint: string, body: Body, local: () => Promise<object>) => Promise<object>

// biome-ignore lint/suspicious/noExplicitAny: a request of any endpoint, read by name
type Body = any
type Rows = Record<string, unknown>[]

/** The edge of an account that is on no Business or Enterprise plan refuses larger bodies. */
const BODY_MAX_BYTES = 100_000_000

export class WorkerHost {
  production: Production = (_endpoint, _body, local) => local()
  #workerd: Miniflare | null = null
  #url = ''
  /** The tables of the D1 at each bookmark that was returned. */
  readonly #snapshots = new Map<string, Rows>()

  /** Serves this Worker from now on. The one before ends once this one responds. */
  async serve({ modules, metadata }: Upload): Promise<void> {
    const of = (type: string) => metadata.bindings.filter((binding) => binding.type === type)
    const named = <T>(type: string, value: (binding: Upload['metadata']['bindings'][number]) => T) =>
      Object.fromEntries(of(type).map((binding) => [binding.name, value(binding)]))
    const workerd = new Miniflare(
      convertV4MiniflareOptions({
        workers: [
          {
            name: 'hosted',
            modules: [{ type: 'ESModule', path: metadata.main_module, contents: modules[metadata.main_module] ?? '' }],
            compatibilityDate: metadata.compatibility_date,
            compatibilityFlags: metadata.compatibility_flags ?? [],
            bindings: named('plain_text', ({ text = '' }) => text),
            d1Databases: named('d1', ({ id = '' }) => id),
            durableObjects: named('durable_object_namespace', ({ class_name: className = '' }) => ({
              className,
              useSQLite: true,
            })),
          },
        ],
      }),
    )
    const url = (await workerd.ready).href
    const before = this.#workerd
    this.#workerd = workerd
    this.#url = url
    await before?.dispose()
  }

  async stop(): Promise<void> {
    await this.#workerd?.dispose()
    this.#workerd = null
  }

  /** Streams a request to the Worker, and its response back. */
  async forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (Number(request.headers['content-length']) > BODY_MAX_BYTES) {
      response.writeHead(413, { server: 'cloudflare', connection: 'close' }).end('<html>413</html>')
      return
    }
    const endpoint = (request.url ?? '').replace('/probe/', '')
    if (endpoint === 'upload') return this.#stream(request, response)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    const headers = { authorization: request.headers.authorization ?? '' }
    let status = 200
    const local = async () => {
      const answer = await fetch(new URL(request.url ?? '/', this.#url), { method: 'POST', headers, body: text })
      status = answer.status
      return (await answer.json()) as object
    }
    try {
      const answer = await this.production(endpoint, JSON.parse(text), local)
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    } catch {
      response.writeHead(502).end('error code: 502')
    }
  }

  #stream(request: IncomingMessage, response: ServerResponse): void {
    const { method, headers } = request
    const onwards = requestHttp(new URL(request.url ?? '/', this.#url), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onwards.on('error', () => response.destroy())
    request.pipe(onwards)
  }

  /** `GET …/time_travel/bookmark`: stores the present content of the D1. */
  async bookmark(): Promise<{ bookmark: string }> {
    const db = await this.#database()
    const { results } = await db.prepare('SELECT * FROM probe_rows').all<Record<string, unknown>>()
    const bookmark = await this.#now()
    this.#snapshots.set(bookmark, results)
    return { bookmark }
  }

  /** `POST …/time_travel/restore`: sets the D1 back. Its bookmarks go on rising. */
  async restore(bookmark: string): Promise<{ bookmark: string; previous_bookmark: string } | null> {
    const rows = this.#snapshots.get(bookmark)
    if (!rows) return null
    const db = await this.#database()
    const previous_bookmark = await this.#now()
    const inserted = rows.map(({ id }) => db.prepare('INSERT INTO probe_rows (id) VALUES (?)').bind(id))
    await db.batch([db.prepare('DELETE FROM probe_rows'), ...inserted])
    return { bookmark: await this.#now(), previous_bookmark }
  }

  #database() {
    if (!this.#workerd) throw new Error('no Worker was deployed')
    return this.#workerd.getD1Database('DB', 'hosted')
  }

  async #now(): Promise<string> {
    const session = (await this.#database()).withSession('first-primary')
    await session.prepare('SELECT 1').all()
    return session.getBookmark() ?? ''
  }
}
