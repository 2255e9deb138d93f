/**
 * Drives a cluster in the isolate tests: sets up a tenant, loads every edge, and records every response with its times.
 */
import { expect } from 'vitest'
import { CLUSTER_ADMIN_KEY, type Cluster } from '../support/cluster.ts'

export interface Tenant {
  tenantId: string
  key: string
  keyId: string
}

/** One answered request, in milliseconds of this process. */
export interface CountedResponse {
  sentAtMs: number
  answeredAtMs: number
  status: number
  edge: number
}

/** The isolates of the tests of promises. */
const EDGES = [0, 1, 2]
/** Enough for every rate of these tests if a response takes 100 ms. */
const IN_FLIGHT_MAX = 12

export interface Load {
  /** Waits until enough requests have been answered, which takes longer on a busy machine. */
  until(isEnough: (answered: CountedResponse[]) => boolean): Promise<void>
  stop(): Promise<CountedResponse[]>
}

export class Client {
  readonly #cluster: Cluster
  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  async send(edge: number, method: string, path: string, headers: Record<string, string>, body?: object) {
    const url = new URL(path, this.#cluster.edges[edge])
    const init = {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body && { body: JSON.stringify(body) }),
    }
    const answer = await fetch(url, init)
    const text = await answer.text()
    return { status: answer.status, headers: answer.headers, body: text === '' ? null : JSON.parse(text) }
  }

  admin(method: string, path: string, body?: object) {
    return this.send(0, method, `/admin/customers${path}`, { 'x-api-key': CLUSTER_ADMIN_KEY }, body)
  }

  async newTenant(fields: object): Promise<Tenant> {
    const tenant = await this.admin('POST', '', { company_name: 'Isolates', contact_email: 'i@example.com', ...fields })
    const tenantId = tenant.body.customer_id
    const key = await this.admin('POST', `/${tenantId}/keys`, { name: 'isolates' })
    return { tenantId, key: key.body.key, keyId: key.body.key_id }
  }

  /** Tries again as `rename` does. */
  async newCustomer({ key }: Tenant, externalId: string): Promise<string> {
    for (;;) {
      const made = await this.send(0, 'POST', '/v1/customers', bearer(key), { external_id: externalId, name: '0' })
      if (made.status === 201) return made.body.id
      if (made.status !== 429) throw new Error(`${made.status} ${JSON.stringify(made.body)}`)
      await pause(100)
    }
  }

  read(edge: number, { key }: Tenant, id: string, token?: string) {
    return this.send(edge, 'GET', `/v1/customers/${id}`, {
      ...bearer(key),
      ...(token && { 'consistency-token': token }),
    })
  }

  /** Tries again as `retry-after` says: a gate that lost its memory grants nothing until its old leases are dead. */
  async rename(edge: number, { key }: Tenant, id: string, name: string) {
    for (;;) {
      const renamed = await this.send(edge, 'PUT', `/v1/customers/${id}`, bearer(key), { name })
      if (renamed.status !== 429) return renamed
      await pause(100)
    }
  }

  /**
   * Checks after a write that its token shows at every edge a name of at least `least`, and without a token after a second. The
   * second check is added to `late`, for the end of the test.
   */
  async expectSeen(
    tenant: Tenant,
    id: string,
    { headers }: { headers: Headers },
    least: number,
    late: Promise<void>[],
  ) {
    const token = headers.get('consistency-token') ?? ''
    for (const edge of EDGES) {
      const { body: seen } = await this.read(edge, tenant, id, token)
      expect(Number(seen.name), `edge ${edge} with the token`).toBeGreaterThanOrEqual(least)
    }
    const check = pause(1_000).then(async () => {
      const seen = await Promise.all(EDGES.map((edge) => this.read(edge, tenant, id)))
      for (const { body: customer } of seen) expect(Number(customer.name)).toBeGreaterThanOrEqual(least)
    })
    // Rejections are checked when all have arrived.
    check.catch(() => undefined)
    late.push(check)
  }

  /**
   * Reads the customer `perSecond` times a second at every edge until `stop` is called, or as often as the machine
   * can: a request that is due while `IN_FLIGHT_MAX` of its edge are under way is left out, so that a busy machine does
   * not fall behind for good. `stop` returns all requests.
   */
  load(tenant: Tenant, id: string, perSecond: number): Load {
    const answered: CountedResponse[] = []
    const underWay = this.#cluster.edges.map(() => new Set<Promise<void>>())
    let stopped = false
    const fire = (edge: number, ofEdge: Set<Promise<void>>) => {
      if (ofEdge.size >= IN_FLIGHT_MAX) return
      const sentAtMs = performance.now()
      const request = this.read(edge, tenant, id).then(({ status }) => {
        answered.push({ sentAtMs, answeredAtMs: performance.now(), status, edge })
      })
      ofEdge.add(request)
      void request.finally(() => ofEdge.delete(request))
    }
    const loops = underWay.map(async (ofEdge, edge) => {
      const startedAtMs = performance.now()
      for (let sent = 0; !stopped; ) {
        for (const due = ((performance.now() - startedAtMs) / 1000) * perSecond; sent < due; sent++) fire(edge, ofEdge)
        await pause(4)
      }
    })
    return {
      async until(isEnough) {
        while (!isEnough(answered)) await pause(10)
      },
      async stop() {
        stopped = true
        await Promise.all(loops)
        await Promise.all(underWay.flatMap((ofEdge) => [...ofEdge]))
        return answered
      },
    }
  }
}

export function bearer(key: string): Record<string, string> {
  return { authorization: `Bearer ${key}` }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/**
 * Returns the requests admitted above `burst + rate × T` in the worst interval; 0 or less keeps the promise. An
 * admission happened somewhere between request and response, so an interval counts only those that lie in it whole.
 */
export function worstExcess(answered: CountedResponse[], ratePerSecond: number, burst: number): number {
  const admitted = answered.filter(({ status }) => status === 200)
  const byEnd = admitted.toSorted((a, b) => a.answeredAtMs - b.answeredAtMs)
  let worst = Number.NEGATIVE_INFINITY
  for (const { sentAtMs: from } of admitted) {
    let count = 0
    for (const { sentAtMs, answeredAtMs: to } of byEnd) {
      if (sentAtMs < from) continue
      count++
      worst = Math.max(worst, count - (burst + (ratePerSecond * (to - from)) / 1000))
    }
  }
  return worst
}

/** Returns the number of the same requests that one bucket would admit if it received each when it was sent. */
export function admittedByOneBucket(answered: CountedResponse[], ratePerSecond: number, burst: number): number {
  let tokens = burst
  let admitted = 0
  let lastMs = Number.NEGATIVE_INFINITY
  for (const { sentAtMs } of answered.toSorted((a, b) => a.sentAtMs - b.sentAtMs)) {
    tokens = Math.min(burst, tokens + (ratePerSecond * (sentAtMs - lastMs)) / 1000)
    lastMs = sentAtMs
    if (tokens < 1) continue
    tokens--
    admitted++
  }
  return admitted
}
