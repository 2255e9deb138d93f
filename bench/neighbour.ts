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
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { type Cluster, startCluster } from '../test/node/support/cluster.ts'
import type { AttackerOptions, Order, Statuses } from './neighbour-attacker.ts'
import { ATTACKS } from './neighbour-attacks.ts'
import { newTenant, sender } from './neighbour-tenants.ts'

const PAGE = 'docs/figures.md'
const MARKS = ['<!-- neighbour: written by npm run bench:neighbour -->', '<!-- end of neighbour -->'] as const
const FACTOR_MAX = 3
const DIFFERENCE_MAX_MS = 50
const HEADINGS = ['attack', 'answered', 'p50, p99 of the neighbour', 'p99 ÷ alone', 'p99 − alone']

interface Latency {
  p50: number
  p99: number
}

export interface Measured {
  attack: string
  statuses: Statuses
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
  const origin = (edges[0] as URL).href
  const options: AttackerOptions = { origin, customers }
  const attacker = new Worker(new URL('./neighbour-attacker.ts', import.meta.url), { workerData: options })
  await once(attacker, 'message')
  const neighbour = await prepareNeighbour(origin)
  await neighbour(500)
  const alone = await neighbour(seconds * 1_000)
  const measured: Measured[] = []
  for (const attack of Object.keys(ATTACKS)) {
    if (!attack.includes(values.only)) continue
    const order: Order = { attack, durationMs: seconds * 1_000 }
    const ended = once(attacker, 'message')
    attacker.postMessage(order)
    const latency = await neighbour(seconds * 1_000)
    const [statuses] = (await ended) as [Statuses]
    measured.push({ attack, statuses, latency })
    // Work that the attack has left under way is not the next one's.
    await neighbour(250)
  }
  await attacker.terminate()
  return { alone, measured }
}

/** Returns a function that reads and writes in turn for so long, one request after the other, and returns the latencies. */
async function prepareNeighbour(origin: string): Promise<(durationMs: number) => Promise<Latency>> {
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

function row({ attack, statuses, latency }: Measured, alone: Latency): string[] {
  return [
    attack,
    Object.entries(statuses)
      .map(([status, times]) => `${times} × ${status}`)
      .join(', '),
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
