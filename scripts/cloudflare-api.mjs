/**
 * Calls the few endpoints of Cloudflare's REST API that `npm run deploy` needs beside wrangler, to find resources and to create the
 * missing ones. Uses wrangler's token and address.
 */
const PAGE_SIZE = 100
/** The codes for a database, a bucket, a Worker or a subdomain that does not exist. Their HTTP status varies. */
const NOT_THERE = [7404, 10006, 10007, 10090]

/** An error response. `resource` is the path below the account; `errors` are `{code, message}`. */
export class CloudflareError extends Error {
  constructor({ method, resource, status, errors }) {
    const reasons = errors.map(({ code, message }) => `${message} [code: ${code}]`).join('; ')
    super(`Cloudflare answered ${status} to ${method} ${resource}: ${reasons || 'no reason'}`)
    this.resource = resource
    this.status = status
    this.errors = errors
  }

  get isNotThere() {
    return this.status === 404 || this.errors.some(({ code }) => NOT_THERE.includes(code))
  }
}

/** Calls the API for one account, once `account` is set; `/accounts` itself needs none. Every method throws `CloudflareError`. */
export class CloudflareApi {
  #token
  #base
  /** @type {string | null} */
  account = null

  constructor(token, base = process.env.CLOUDFLARE_API_BASE_URL ?? 'https://api.cloudflare.com/client/v4') {
    this.#token = token
    this.#base = base
  }

  /** Returns the accounts that the token may see: `{id, name}`. */
  async accounts() {
    return (await this.#call('GET', '/accounts?per_page=50')).result
  }

  /** Returns the address of the user whose token this is. Returns null for a token that belongs to an account, or may not say. */
  async userEmail() {
    return this.#call('GET', '/user').then(
      ({ result }) => result?.email ?? null,
      () => null,
    )
  }

  async subdomain() {
    return (await this.#orNull('GET', '/workers/subdomain'))?.subdomain ?? null
  }

  createSubdomain(subdomain) {
    return this.#result('PUT', '/workers/subdomain', { subdomain })
  }

  /**
   * Returns `{uuid, name, running_in_region?, created_in_region?, jurisdiction?, read_replication}`, or null if there is none. D1 finds a database
   * by its name too. The regions may be missing for a while after the creation.
   */
  database(nameOrId) {
    return this.#orNull('GET', `/d1/database/${encodeURIComponent(nameOrId)}`)
  }

  /** D1 ignores the location in a jurisdiction. */
  createDatabase(name, { location = null, jurisdiction = null } = {}) {
    const where = { ...(location && { primary_location_hint: location }), ...(jurisdiction && { jurisdiction }) }
    return this.#result('POST', '/d1/database', { name, ...where })
  }

  /** Returns the rows of one statement. */
  async query(databaseId, sql) {
    const [rows] = await this.batch(databaseId, sql)
    return rows
  }

  /** Runs several statements in one transaction, or one with parameters. Returns the rows of each. */
  async batch(databaseId, sql, params = []) {
    const answers = await this.#result('POST', `/d1/database/${databaseId}/query`, { sql, params })
    return answers.map(({ results }) => results)
  }

  /** Switches on read replicas in all regions of D1. */
  replicate(databaseId) {
    return this.#result('PUT', `/d1/database/${databaseId}`, { read_replication: { mode: 'auto' } })
  }

  /** Returns `{id, title}` of every KV namespace. */
  namespaces() {
    return this.#pages('/storage/kv/namespaces')
  }

  createNamespace(title) {
    return this.#result('POST', '/storage/kv/namespaces', { title })
  }

  /** Returns `{queue_name, jurisdiction?}`, or null if there is none of that name. */
  async queue(name) {
    const found = await this.#result('GET', `/queues?name=${encodeURIComponent(name)}`)
    return found.find((queue) => queue.queue_name === name) ?? null
  }

  /** @param {string | null} jurisdiction */
  createQueue(name, jurisdiction = null) {
    return this.#result('POST', '/queues', { queue_name: name, ...(jurisdiction && { jurisdiction }) })
  }

  /** Returns true if there is an R2 bucket of that name. Each jurisdiction has buckets of its own; null is outside of all. */
  async hasBucket(name, jurisdiction = null) {
    return (await this.#orNull('GET', `/r2/buckets/${name}`, undefined, inBuckets(jurisdiction))) !== null
  }

  /** `location` is a hint as those of D1 are. */
  createBucket(name, { location = null, jurisdiction = null } = {}) {
    const body = { name, ...(location && { locationHint: location }) }
    return this.#result('POST', '/r2/buckets', body, inBuckets(jurisdiction))
  }

  /** Returns the names of a Worker's secrets; an empty list if the Worker does not exist. */
  async secretNames(worker) {
    return ((await this.#orNull('GET', `/workers/scripts/${worker}/secrets`)) ?? []).map(({ name }) => name)
  }

  /** Returns `{uuid, name, jurisdiction?, created_at}` of every D1 database. */
  databases() {
    return this.#pages('/d1/database')
  }

  /** Returns null if there is none. */
  deleteDatabase(databaseId) {
    return this.#orNull('DELETE', `/d1/database/${databaseId}`)
  }

  /** Returns the current bookmark of a database. */
  async bookmark(databaseId) {
    return (await this.#result('GET', `/d1/database/${databaseId}/time_travel/bookmark`)).bookmark
  }

  /** Sets a database back. Returns `{bookmark, previous_bookmark}`: after and before it. */
  restore(databaseId, bookmark) {
    const at = encodeURIComponent(bookmark)
    return this.#result('POST', `/d1/database/${databaseId}/time_travel/restore?bookmark=${at}`)
  }

  /** Returns `{id, created_on}` of every Worker; the id is its name. */
  workers() {
    return this.#result('GET', '/workers/scripts')
  }

  /** Deletes a Worker, and its Durable Objects with all they hold. Returns null if there is none. */
  deleteWorker(name) {
    return this.#orNull('DELETE', `/workers/scripts/${name}?force=true`)
  }

  async #orNull(method, path, body, headers) {
    try {
      return await this.#result(method, path, body, headers)
    } catch (error) {
      if (error instanceof CloudflareError && error.isNotThere) return null
      throw error
    }
  }

  async #pages(path) {
    const found = []
    for (let page = 1; ; page++) {
      const rows = await this.#result('GET', `${path}?per_page=${PAGE_SIZE}&page=${page}`)
      found.push(...rows)
      if (rows.length < PAGE_SIZE) return found
    }
  }

  async #result(method, path, body, headers) {
    return (await this.#call(method, `/accounts/${this.account}${path}`, body, headers)).result
  }

  async #call(method, path, body, headers) {
    const answer = await fetch(`${this.#base}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(body && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    const json = await answer.json().catch(() => null)
    if (answer.ok && json?.success) return json
    throw new CloudflareError({
      method,
      resource: path.replace(`/accounts/${this.account}`, '').split('?')[0],
      status: answer.status,
      errors: json?.errors ?? [],
    })
  }
}

/** Returns the header that names a jurisdiction to R2. */
function inBuckets(jurisdiction) {
  return jurisdiction ? { 'cf-r2-jurisdiction': jurisdiction } : {}
}
