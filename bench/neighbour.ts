/**
 * `npm run bench:neighbour`: one tenant does its worst over a served Roster while another reads and writes. Prints the
 * neighbour's latency alone and beside each attack, with ratio and difference, all in one run. Without flags it writes them
 * to docs/figures.md, too.
 *
 *   --customers <n>   customers of the attacker
 *   --seconds <n>     seconds of each attack
 *   --only <text>     only the attacks whose name has this text
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { CLUSTER_ADMIN_KEY, type Cluster, startCluster } from '../test/node/support/cluster.ts'
import { ATTACKS, type Attack, type Attacker } from './neighbour-attacks.ts'

const PAGE = 'docs/figures.md'
const MARKS = ['<!-- neighbour: written by npm run bench:neighbour -->', '<!-- end of neighbour -->'] as const
/** Requests of the attacker that are under way at once. */
const CLIENTS = 4
const ENDPOINTS = 5
const FACTOR_MAX = 3
const DIFFERENCE_MAX_MS = 50
const HEADINGS = ['attack', 'answered', 'p50, p99 of the neighbour', 'p99 ÷ alone', 'p99 − alone']

interface Latency {
  p50: number
  p99: number
}

export interface Measured {
  attack: string
  /** Requests of the attacker, and how many of them were answered with less than 400. */
  sent: number
  done: number
  latency: Latency
}

const { values } = parseArgs({
  options: {
    customers: { type: 'string', default: '2000' },
    seconds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
  },
})
const [customers, seconds] = [Number(values.customers), Number(values.seconds)]
if (!(customers >= 10 && seconds > 0)) {
  console.error('Write --customers with a number from 10 on, and --seconds with one above 0.')
  process.exit(2)
}

const cluster = await startCluster({ edges: 1, quiet: true })
try {
  const { alone, measured } = await measure(cluster)
  print(alone, measured)
  if (process.argv.length === 2) writeToPage(alone, measured)
} finally {
  await cluster.dispose()
}

async function measure({ edges }: Cluster): Promise<{ alone: Latency; measured: Measured[] }> {
  const origin = edges[0] as URL
  const attacker = await prepareAttacker(origin)
  const neighbour = await prepareNeighbour(origin)
  await neighbour(500)
  const alone = await neighbour(seconds * 1_000)
  const measured: Measured[] = []
  for (const [attack, send] of Object.entries(ATTACKS)) {
    if (!attack.includes(values.only)) continue
    const work = attackFor(send, attacker, seconds * 1_000)
    const latency = await neighbour(seconds * 1_000)
    measured.push({ attack, ...(await work), latency })
    // Work that the attack has left under way is not the next one's.
    await neighbour(250)
  }
  return { alone, measured }
}

/** Sends an attack from several clients at once for so long. */
async function attackFor(
  send: Attack,
  attacker: Attacker,
  durationMs: number,
): Promise<{ sent: number; done: number }> {
  const untilMs = performance.now() + durationMs
  let [sent, done] = [0, 0]
  const client = async () => {
    while (performance.now() < untilMs) {
      const answer = await send(attacker, sent++)
      await answer.arrayBuffer()
      if (answer.status < 400) done++
      // A client that obeys `retry-after` would be no attacker; one that does not wait at all measures itself.
      if (answer.status === 429) await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  return { sent, done }
}

/** Returns a function that reads and writes in turn for so long, one request after the other, and returns the latencies. */
async function prepareNeighbour(origin: URL): Promise<(durationMs: number) => Promise<Latency>> {
  const { key } = await newTenant(origin, 'enterprise')
  const send = sender(origin, key)
  const { id } = (await (await send('POST', '/v1/customers', { external_id: 'neighbour' })).json()) as { id: string }
  const turns: (() => Promise<Response>)[] = [
    () => send('GET', `/v1/customers/${id}`),
    () => send('GET', '/v1/customers?limit=1'),
    () => send('PATCH', `/v1/customers/${id}`, { name: `Name ${performance.now()}` }),
  ]
  return async (durationMs) => {
    const untilMs = performance.now() + durationMs
    const tookMs: number[] = []
    for (let turn = 0; performance.now() < untilMs || tookMs.length < turns.length; turn++) {
      const startedAtMs = performance.now()
      const answer = await (turns[turn % turns.length] as () => Promise<Response>)()
      await answer.arrayBuffer()
      tookMs.push(performance.now() - startedAtMs)
      if (!answer.ok) throw new Error(`the neighbour got ${answer.status}`)
    }
    tookMs.sort((a, b) => a - b)
    const quantile = (share: number) => tookMs[Math.min(tookMs.length - 1, Math.floor(share * tookMs.length))] as number
    return { p50: quantile(0.5), p99: quantile(0.99) }
  }
}

async function prepareAttacker(origin: URL): Promise<Attacker> {
  const { tenantId, key } = await newTenant(origin, 'scale')
  const send = sender(origin, key)
  const upload: Attacker['upload'] = (path, text, type = 'application/x-ndjson') =>
    fetch(new URL(path, origin), {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': type },
      body: text,
    })
  const lines = Array.from({ length: customers }, (_, at) => ({
    external_id: `user_${at}`,
    name: `Customer ${at}`,
    email: `user_${at}@example.com`,
    metadata: Object.fromEntries(Array.from({ length: 20 }, (_, pair) => [`k${pair}`, 'v'])),
    ...(at >= customers / 2 && { parent_customer_external_id: 'user_0' }),
  }))
  const answer = await upload('/v1/customers/import', lines.map((line) => JSON.stringify(line)).join('\n'))
  const results = (await answer.text()).trimEnd().split('\n')
  const ids = results.map((line) => (JSON.parse(line) as { id: string }).id)
  const endpoints: string[] = []
  for (let at = 0; at < ENDPOINTS; at++) {
    // Nothing listens there.
    const made = await send('POST', '/v1/webhooks/endpoints', { url: `http://127.0.0.1:9/${at}` })
    if (!made.ok) throw new Error(`the endpoint was not made: ${await made.text()}`)
    endpoints.push(((await made.json()) as { id: string }).id)
  }
  const admin = adminOf(origin)
  const { key: revoked, key_id: keyId } = await admin('POST', `/${tenantId}/keys`, {})
  await admin('DELETE', `/${tenantId}/keys/${keyId}`)
  return { send, upload, ids, endpoints, revoked: String(revoked) }
}

async function newTenant(origin: URL, tier: string): Promise<{ tenantId: string; key: string }> {
  const admin = adminOf(origin)
  const made = await admin('POST', '', { company_name: tier, contact_email: 'bench@example.com', tier })
  const { key } = await admin('POST', `/${made.customer_id}/keys`, {})
  return { tenantId: String(made.customer_id), key: String(key) }
}

function adminOf(origin: URL) {
  return async (method: string, path: string, body?: object): Promise<Record<string, unknown>> => {
    const answer = await fetch(new URL(`/admin/customers${path}`, origin), {
      method,
      headers: { 'x-api-key': CLUSTER_ADMIN_KEY, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    })
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status} ${await answer.text()}`)
    return answer.status === 204 ? {} : ((await answer.json()) as Record<string, unknown>)
  }
}

function sender(origin: URL, key: string): Attacker['send'] {
  return (method, path, body, headers = {}) =>
    fetch(new URL(path, origin), {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
}

function row({ attack, sent, done, latency }: Measured, alone: Latency): string[] {
  return [
    attack,
    `${done} of ${sent}`,
    `${latency.p50.toFixed(1)}, ${latency.p99.toFixed(1)} ms`,
    `${(latency.p99 / alone.p99).toFixed(1)} ×`,
    `${(latency.p99 - alone.p99).toFixed(0)} ms`,
  ]
}

function print(alone: Latency, measured: Measured[]): void {
  console.log(`alone: p50 ${alone.p50.toFixed(1)} ms, p99 ${alone.p99.toFixed(1)} ms`)
  const rows = [HEADINGS, ...measured.map((one) => row(one, alone))]
  const widths = HEADINGS.map((_, at) => Math.max(...rows.map((cells) => cells[at]?.length ?? 0)))
  for (const cells of rows)
    console.log(
      cells
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
  const bad = measured.filter(
    ({ latency }) => latency.p99 > FACTOR_MAX * alone.p99 && latency.p99 - alone.p99 > DIFFERENCE_MAX_MS,
  )
  const goal = `more than ${FACTOR_MAX} times and ${DIFFERENCE_MAX_MS} ms above alone`
  console.log(bad.length === 0 ? `None is ${goal}.` : `${bad.length} of ${measured.length} are ${goal}:`)
  for (const { attack } of bad) console.log(`  ${attack}`)
}

function writeToPage(alone: Latency, measured: Measured[]): void {
  const page = readFileSync(PAGE, 'utf8')
  const [begin, end] = MARKS
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from === -1 || to === -1) throw new Error(`${PAGE} has no place for figures between ${begin} and ${end}`)
  const rows = [HEADINGS, HEADINGS.map(() => '---'), ...measured.map((one) => row(one, alone))]
  const facts = `Alone: p50 ${alone.p50.toFixed(1)} ms, p99 ${alone.p99.toFixed(1)} ms; the attacker has ${customers.toLocaleString('en')} customers.`
  const table = rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
  writeFileSync(PAGE, `${page.slice(0, from + begin.length)}\n\n${facts}\n\n${table}\n\n${page.slice(to)}`)
  execFileSync('biome', ['format', '--write', PAGE])
  console.log(`Written to ${PAGE}.`)
}
