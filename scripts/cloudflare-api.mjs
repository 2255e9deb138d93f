/**
 * The few calls of Cloudflare's REST API that `npm run deploy` needs beside wrangler: to find what is there, and to create what
 * is not. The token and the address are the ones wrangler uses.
 */
const PAGE_SIZE = 100
/** "There is none", of a database, a Worker or a subdomain, whatever the status of the answer. */
const NOT_THERE = [7404, 10007, 10090]

export class CloudflareError extends Error {
  constructor(isNotThere, message) {
    super(message)
    this.isNotThere = isNotThere
  }
}

/** Calls on behalf of one account once `account` is set; `/accounts` itself needs none. */
export class CloudflareApi {
  #token
  #base
  account = null

  constructor(token, base = process.env.CLOUDFLARE_API_BASE_URL ?? 'https://api.cloudflare.com/client/v4') {
    this.#token = token
    this.#base = base
  }

  /** The accounts the token may see: `{id, name}`. */
  async accounts() {
    return (await this.#call('GET', '/accounts?per_page=50')).result
  }

  async subdomain() {
    return (await this.#orNull('GET', '/workers/subdomain'))?.subdomain ?? null
  }

  createSubdomain(subdomain) {
    return this.#result('PUT', '/workers/subdomain', { subdomain })
  }

  /** `{uuid, name, running_in_region, read_replication}` or null. D1 finds a database by its name too. */
  database(nameOrId) {
    return this.#orNull('GET', `/d1/database/${encodeURIComponent(nameOrId)}`)
  }

  createDatabase(name, location) {
    return this.#result('POST', '/d1/database', { name, ...(location && { primary_location_hint: location }) })
  }

  /** Replicas wherever D1 has a region. */
  replicate(databaseId) {
    return this.#result('PUT', `/d1/database/${databaseId}`, { read_replication: { mode: 'auto' } })
  }

  /** `{id, title}` of every KV namespace. */
  async namespaces() {
    const found = []
    for (let page = 1; ; page++) {
      const rows = await this.#result('GET', `/storage/kv/namespaces?per_page=${PAGE_SIZE}&page=${page}`)
      found.push(...rows)
      if (rows.length < PAGE_SIZE) return found
    }
  }

  createNamespace(title) {
    return this.#result('POST', '/storage/kv/namespaces', { title })
  }

  /** Whether there is a queue of that name. */
  async hasQueue(name) {
    const found = await this.#result('GET', `/queues?name=${encodeURIComponent(name)}`)
    return found.some((queue) => queue.queue_name === name)
  }

  createQueue(name) {
    return this.#result('POST', '/queues', { queue_name: name })
  }

  /** The names of a Worker's secrets; none of a Worker that is not there. */
  async secretNames(worker) {
    return ((await this.#orNull('GET', `/workers/scripts/${worker}/secrets`)) ?? []).map(({ name }) => name)
  }

  async #orNull(method, path) {
    try {
      return await this.#result(method, path)
    } catch (error) {
      if (error instanceof CloudflareError && error.isNotThere) return null
      throw error
    }
  }

  async #result(method, path, body) {
    return (await this.#call(method, `/accounts/${this.account}${path}`, body)).result
  }

  async #call(method, path, body) {
    const answer = await fetch(`${this.#base}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#token}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })
    const json = await answer.json().catch(() => null)
    if (answer.ok && json?.success) return json
    const errors = json?.errors ?? []
    const told = errors.map(({ code, message }) => `${message} [${code}]`).join('; ')
    const mend =
      answer.status === 403
        ? '. The token needs: Workers Scripts, D1, Workers KV Storage and Queues (Edit), Account Settings (Read)'
        : ''
    throw new CloudflareError(
      answer.status === 404 || errors.some(({ code }) => NOT_THERE.includes(code)),
      `Cloudflare answered ${answer.status} to ${method} ${path.split('?')[0]}: ${told || 'no reason'}${mend}`,
    )
  }
}
