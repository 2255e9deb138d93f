/** The D1 of the fake account. Each database is a SQLite in memory, so migrations really run. */
import { createHash } from 'node:crypto'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { callsTooLong } from '../../../shared/d1-limits.ts'
import { splitLikeD1Query, withoutComments } from '../../../shared/d1-splitter.ts'
import { Refusal } from './answers.ts'
import type { WorkerHost } from './worker-host.ts'

/** The most databases of an account on Workers Free. */
const FREE_DATABASES_MAX = 10
const BUSY = new Refusal(400, 7500, 'D1_ERROR: Currently processing a long-running import.')

export interface FakeDatabase {
  uuid: string
  name: string
  region: string
  jurisdiction: string | null
  read_replication: { mode: string }
  sqlite: DatabaseSync
  /** The number of further descriptions without `running_in_region`. */
  regionIsSecretFor: number
}

interface Upload {
  filename: string
  bytes: Buffer | null
}

/** The fate of the next import: its file is applied, and wrangler receives a failure, or has to poll before it receives the end. */
type ImportMishap = 'answer lost'

export class FakeD1 {
  readonly databases = new Map<string, FakeDatabase>()
  /** Every text that was executed, with its endpoint. */
  readonly ran: { by: 'query' | 'import'; sql: string }[] = []
  /** How many calls of `/query` and `/import` find another import running. */
  busyFor = 0
  /** The number of descriptions of a new database that lack its region. */
  regionIsSecretFor = 0
  mishap: ImportMishap | null = null
  plan: 'paid' | 'free' = 'paid'
  /** How `/query` cuts a text into statements. */
  splitter = splitLikeD1Query
  #created = 0
  /** Files by their etag, the MD5 of their content. */
  readonly #uploads = new Map<string, Upload>()
  /** The responses to the next poll of each import, by its bookmark. */
  readonly #running = new Map<string, unknown>()
  readonly #origin: () => string
  readonly #host: WorkerHost

  constructor(origin: () => string, host: WorkerHost) {
    this.#origin = origin
    this.#host = host
  }

  find(nameOrId: string): FakeDatabase | undefined {
    return [...this.databases.values()].find(({ name, uuid }) => name === nameOrId || uuid === nameOrId)
  }

  /** Creates a database that another project owns, with the tables of the SQL. */
  create(name: string, sql = '', region = 'weur', jurisdiction: string | null = null): FakeDatabase {
    const uuid = `00000000-0000-4000-8000-${String(++this.#created).padStart(12, '0')}`
    const sqlite = new DatabaseSync(':memory:')
    sqlite.exec(sql)
    const { regionIsSecretFor } = this
    const read_replication = { mode: 'disabled' }
    const database = { uuid, name, region, jurisdiction, read_replication, sqlite, regionIsSecretFor }
    this.databases.set(name, database)
    return database
  }

  /** Answers `/d1/database[/id[/action]]`. */
  answer(
    method: string | undefined,
    [id, action, detail]: string[],
    query: URLSearchParams,
    json: () => Record<string, string>,
  ): unknown {
    if (id === undefined) return method === 'GET' ? [...this.databases.values()].map(description) : this.#create(json())
    const database = this.find(decodeURIComponent(id))
    if (!database) return new Refusal(404, 7404, 'The database could not be found')
    if (action === 'query' || action === 'import') {
      if (this.busyFor > 0) {
        this.busyFor--
        return BUSY
      }
      return action === 'query' ? this.#query(database, json()) : this.#import(database, json())
    }
    if (action === 'time_travel') return this.#timeTravel(method, detail, query.get('bookmark') ?? '')
    if (action !== undefined) return undefined
    if (method === 'DELETE') {
      this.databases.delete(database.name)
      return {}
    }
    if (method === 'PUT') Object.assign(database, json())
    return description(database)
  }

  /** The D1 of the hosted Worker: only there are rows written. */
  async #timeTravel(method: string | undefined, detail: string | undefined, bookmark: string): Promise<unknown> {
    if (method === 'GET' && detail === 'bookmark') return this.#host.bookmark()
    if (method === 'POST' && detail === 'restore')
      return (await this.#host.restore(bookmark)) ?? new Refusal(400, 7400, 'The bookmark is not known')
    return undefined
  }

  /** Takes the bytes of a file to import, as R2 does behind the signed URL. Returns their etag, or null for an unknown name. */
  upload(filename: string, bytes: Buffer): string | null {
    const upload = [...this.#uploads.values()].find((known) => known.filename === filename)
    if (!upload) return null
    upload.bytes = bytes
    return createHash('md5').update(bytes).digest('hex')
  }

  #create({ name = '', primary_location_hint: hint, jurisdiction }: Record<string, string>): unknown {
    if (this.find(name)) return new Refusal(400, 7502, 'exists')
    if (this.plan === 'free' && this.databases.size >= FREE_DATABASES_MAX) {
      return new Refusal(400, 7406, `System limit reached: databases per account (${FREE_DATABASES_MAX})`)
    }
    const { uuid } = this.create(name, '', hint, jurisdiction)
    return { uuid, name }
  }

  /** Cuts the text into statements as the server does, and runs them in one transaction. */
  #query(database: FakeDatabase, { sql = '', params = [] }: { sql?: string; params?: unknown }): unknown {
    this.ran.push({ by: 'query', sql })
    try {
      const results = atomically(database.sqlite, () =>
        this.splitter(sql).map((statement) => rowsOf(database.sqlite, statement, params as SQLInputValue[])),
      )
      return results.map((rows) => ({ success: true, meta: { duration: 0 }, results: rows }))
    } catch (error) {
      return new Refusal(400, 7500, messageOf(error))
    }
  }

  /** The protocol of `wrangler d1 execute --remote --file`: init, PUT of the file, ingest, and poll until it is done. */
  #import(
    database: FakeDatabase,
    { action, etag = '', filename, current_bookmark: bookmark = '' }: Record<string, string>,
  ) {
    if (action === 'init') {
      const bytes = this.#uploads.get(etag)?.bytes
      if (bytes) return this.#ingest(database, etag, bytes)
      const name = `${database.uuid}.${etag}.sql`
      this.#uploads.set(etag, { filename: name, bytes: null })
      return { success: true, filename: name, upload_url: `${this.#origin()}/upload/${name}` }
    }
    if (action === 'ingest') {
      const upload = this.#uploads.get(etag)
      if (upload?.filename !== filename || !upload?.bytes) return new Refusal(400, 7400, 'The file was not uploaded')
      return this.#ingest(database, etag, upload.bytes)
    }
    if (action === 'poll')
      return this.#running.get(bookmark) ?? { success: false, error: 'Not currently importing anything.' }
    return undefined
  }

  /** Applies the file whole or not at all. The next poll returns how that ended. */
  #ingest(database: FakeDatabase, etag: string, bytes: Buffer): unknown {
    const sql = bytes.toString()
    this.ran.push({ by: 'import', sql })
    const state = { success: true, type: 'import', at_bookmark: etag, messages: [], errors: [] }
    const meta = { duration: 1, rows_read: 0, rows_written: 0, size_after: 4096 }
    const result = { num_queries: 1, final_bookmark: etag, meta }
    try {
      atomically(database.sqlite, () => database.sqlite.exec(sql))
      this.#running.set(etag, { ...state, status: 'complete', result })
    } catch (error) {
      this.#running.set(etag, { ...state, success: false, status: 'error', error: messageOf(error) })
    }
    if (this.mishap === 'answer lost') {
      this.mishap = null
      return new Refusal(503, 7009, 'Upstream service unavailable')
    }
    return { ...state, status: 'active' }
  }
}

/** Returns the description of a database. As in production, it has its region only after a while. */
function description(database: FakeDatabase): unknown {
  const { uuid, name, region, jurisdiction, read_replication } = database
  const isSecret = database.regionIsSecretFor > 0
  if (isSecret) database.regionIsSecretFor--
  return { uuid, name, jurisdiction, read_replication, ...(!isSecret && { running_in_region: region.toUpperCase() }) }
}

/** Returns the rows of one statement. Throws if D1 refuses it and this SQLite does not, and if the text holds more than one: SQLite would ignore the rest. */
function rowsOf(sqlite: DatabaseSync, text: string, params: SQLInputValue[]): unknown[] {
  for (const refusal of callsTooLong(text)) throw new Error(refusal)
  const statement = sqlite.prepare(text)
  if (withoutComments(statement.sourceSQL).replace(/;$/, '') !== withoutComments(text)) {
    throw new Error('a prepared statement must be one statement')
  }
  return statement.all(...params)
}

/** Executes all statements of `run`, or none. */
function atomically<Result>(sqlite: DatabaseSync, run: () => Result): Result {
  sqlite.exec('BEGIN')
  try {
    const result = run()
    sqlite.exec('COMMIT')
    return result
  } catch (error) {
    sqlite.exec('ROLLBACK')
    throw error
  }
}

function messageOf(error: unknown): string {
  return `${(error as Error).message}: SQLITE_ERROR`
}
