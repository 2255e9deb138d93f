/** The Workers of the fake account: their versions, their bindings, and the responses that `wrangler deploy` needs. */
import type { IncomingMessage } from 'node:http'
import { NO_WORKER, Refusal } from './answers.ts'
import type { FakeD1 } from './d1.ts'
import type { Upload, WorkerHost } from './worker-host.ts'

interface Binding {
  type: string
  name: string
  text?: string
  [field: string]: unknown
}

interface Metadata {
  main_module: string
  compatibility_date: string
  compatibility_flags?: string[]
  bindings: Binding[]
  code_update_strategy?: unknown
  migrations?: { new_tag: string }
}

const VERSION = '00000000-0000-4000-8000-000000000000'
const CREATED_ON = '2026-11-01T00:00:00Z'
/** The most cron triggers of all Workers of an account on Workers Free. */
const FREE_CRONS_MAX = 5

/** A Worker as it was last uploaded, with its inherited bindings. */
export interface FakeWorker {
  bindings: Binding[]
  crons: unknown
  migrationTag: string | undefined
  /** Tables of its D1 when the version arrived. */
  tablesAtUpload: string[]
  /** The mode in which the last deployment replaces Durable Objects. */
  codeUpdate: unknown
  upload: Upload
}

/** The probe of `--check` runs in workerd; other tests run Roster itself. */
const IS_HOSTED = /^roster-check-[0-9a-f]{8}$/

export class FakeWorkers {
  readonly workers = new Map<string, FakeWorker>()
  plan: 'paid' | 'free' = 'paid'
  /** Cron triggers that other Workers of the account have. */
  otherCrons = 0
  /** True if Analytics Engine is switched on. */
  hasAnalytics = true
  /** The newest version of each, which serves no requests before it is deployed. */
  readonly #versions = new Map<string, FakeWorker>()
  readonly #d1: FakeD1
  readonly #host: WorkerHost
  readonly #origin: () => string

  constructor(d1: FakeD1, host: WorkerHost, origin: () => string) {
    this.#d1 = d1
    this.#host = host
    this.#origin = origin
  }

  /** Answers `/workers/scripts/name/action`. */
  async answer(request: IncomingMessage, name: string, action: string, body: Buffer): Promise<unknown> {
    const worker = this.workers.get(name)
    if (name === '') return [...this.workers.keys()].map((id) => ({ id, created_on: '2026-11-27T12:00:00Z' }))
    if (request.method === 'DELETE' && action === '') return this.#delete(name)
    if (request.method === 'PUT' && action === '') {
      const answer = this.#upload(name, await uploadOf(request, body), this.workers)
      await this.#serve(name)
      return answer
    }
    if (request.method === 'POST' && action === 'versions') {
      return this.#upload(name, await uploadOf(request, body), this.#versions)
    }
    if (request.method === 'POST' && action === 'deployments') {
      const version = this.#versions.get(name) as FakeWorker
      this.workers.set(name, { ...version, codeUpdate: JSON.parse(body.toString()).code_update_strategy })
      await this.#serve(name)
      return { id: 'deployment' }
    }
    if (action === 'assets-upload-session') return { jwt: 'assets', buckets: [] }
    if (!worker) return NO_WORKER
    if (action.startsWith('tails'))
      return { id: 'tail', url: `${this.#origin().replace('http', 'ws')}/tail`, expires_at: '2026-11-28T12:00:00Z' }
    if (action === 'secrets') return worker.bindings.filter(({ type }) => type === 'secret_text')
    if (action === 'settings' || action === 'script-settings') return { bindings: worker.bindings, tags: [] }
    if (action === 'schedules') {
      const crons: unknown[] = JSON.parse(body.toString())
      if (this.plan === 'free' && this.otherCrons + crons.length > FREE_CRONS_MAX) {
        return new Refusal(
          400,
          10072,
          `This account has reached the Workers Free limit of ${FREE_CRONS_MAX} cron triggers per account.`,
        )
      }
      worker.crons = crons
      return { schedules: worker.crons }
    }
    if (action === 'subdomain') return { enabled: true, previews_enabled: true }
    if (action === 'deployments') {
      const versions = [{ version_id: VERSION, percentage: 100 }]
      return { deployments: [{ id: 'deployment', source: 'wrangler', created_on: CREATED_ON, versions }] }
    }
    if (action.startsWith('versions')) {
      return {
        id: VERSION,
        metadata: { created_on: CREATED_ON },
        resources: { script: {}, script_runtime: {}, bindings: worker.bindings },
      }
    }
    return undefined
  }

  /** Answers `/workers/services/name`. */
  service(name: string): unknown {
    const worker = this.workers.get(name)
    if (!worker) return NO_WORKER
    return {
      id: name,
      default_environment: { environment: 'production', script: { migration_tag: worker.migrationTag } },
    }
  }

  async #serve(name: string): Promise<void> {
    const upload = this.workers.get(name)?.upload
    if (upload && IS_HOSTED.test(name)) await this.#host.serve(upload)
  }

  async #delete(name: string): Promise<unknown> {
    if (!this.workers.delete(name)) return NO_WORKER
    if (IS_HOSTED.test(name)) await this.#host.stop()
    return {}
  }

  #upload(name: string, upload: FakeUpload, into: Map<string, FakeWorker>): unknown {
    const { metadata } = upload
    if (!this.hasAnalytics && metadata.bindings.some(({ type }) => type === 'analytics_engine')) return NO_ANALYTICS
    const before = this.workers.get(name)
    const bindings = metadata.bindings.map((binding) =>
      binding.type === 'inherit' ? before?.bindings.find((known) => known.name === binding.name) : binding,
    )
    if (bindings.includes(undefined)) return new Refusal(400, 10057, 'inherit binding is invalid')
    const database = this.#d1.find(String(bindings.find((binding) => binding?.type === 'd1')?.id))
    const tables = database?.sqlite.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all() ?? []
    into.set(name, {
      bindings: bindings as Binding[],
      crons: before?.crons,
      migrationTag: metadata.migrations?.new_tag ?? before?.migrationTag,
      tablesAtUpload: tables.map((table) => String(table.name)),
      codeUpdate: metadata.code_update_strategy,
      upload,
    })
    return {
      id: VERSION,
      etag: 'etag',
      startup_time_ms: 1,
      metadata: { has_preview: false },
      resources: { script: { etag: 'etag' } },
    }
  }
}

const NO_ANALYTICS = new Refusal(
  403,
  10089,
  'You need to enable Analytics Engine. Head to the Cloudflare Dashboard to enable: https://dash.cloudflare.com/…/workers/analytics-engine',
)

interface FakeUpload extends Upload {
  metadata: Metadata
}

async function uploadOf(request: IncomingMessage, body: Buffer): Promise<FakeUpload> {
  const headers = { 'content-type': request.headers['content-type'] ?? '' }
  const form = await new Response(new Uint8Array(body), { headers }).formData()
  const texts: Record<string, string> = {}
  for (const [name, part] of form) texts[name] = typeof part === 'string' ? part : await (part as File).text()
  const { metadata = '', ...modules } = texts
  return { metadata: JSON.parse(metadata), modules }
}
