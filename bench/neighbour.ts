/**
 * `npm run bench:neighbour`: one tenant does its worst over a served Roster while another reads and writes. Prints the
 * neighbour's latency alone and beside each attack, with ratio and difference, all in one run. It is alone for a while before
 * each attack, so that both are measured on the same machine, however busy. Without flags it writes them to docs/figures.md,
 * too.
 *
 *   --customers <n>   customers of the attacker
 *   --seconds <n>     seconds of each attack
 *   --only <texts>    only the attacks whose name has one of these texts, with commas between
 *   --cpu             takes the CPU time of workerd for the time, for a machine that is busy with other things (Linux)
 */
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { type Cluster, startCluster } from '../test/node/support/cluster.ts'
import { keepInMemory } from '../test/node/support/memory.ts'
import type { AttackerOptions, Order, Statuses } from './neighbour-attacker.ts'
import { ATTACKS } from './neighbour-attacks.ts'
import { newTenant, sender } from './neighbour-tenants.ts'
import { writeToPage } from './page.ts'

const FACTOR_MAX = 3
const DIFFERENCE_MAX_MS = 50
const HEADINGS = ['attack', 'answered', 'p50, p99 of the neighbour, of requests', 'p99 ÷ alone', 'p99 − alone']

/** The time after an attack in which the rest of its work ends, and the time that the neighbour is alone before the next. */
const CALM_MS = 250
const ALONE_MS = 500

interface Latency {
  p50: number
  p99: number
  /** The requests that were measured. */
  count: number
}

export interface Measured {
  attack: string
  statuses: Statuses
  latency: Latency
}

const { values } = parseArgs({
  options: {
    customers: { type: 'string', default: '2000' },
    seconds: { type: 'string', default: '8' },
    only: { type: 'string', default: '' },
    cpu: { type: 'boolean', default: false },
  },
})
const [customers, seconds] = [Number(values.customers), Number(values.seconds)]
if (!(customers >= 10 && seconds > 0)) {
  console.error('Write --customers with a number from 10 on, and --seconds with one above 0.')
  process.exit(2)
}

// The disk of this machine is no part of what is measured.
keepInMemory()
const cluster = await startCluster({ edges: 1, quiet: true })
const clock = values.cpu ? cpuClockOfWorkerd() : () => performance.now()
try {
  const { alone, measured } = await measure(cluster)
  print(alone, measured)
  if (process.argv.length === 2) {
    const facts = `Alone: ${textOf(alone)}; the attacker has ${customers.toLocaleString('en')} customers. ${verdictOf(alone, measured)}`
    const rows = measured.map((one) => row(one, alone))
    writeToPage('neighbour', 'npm run bench:neighbour', [HEADINGS, ...rows], facts)
  }
} finally {
  await cluster.dispose()
}

async function measure({ edges }: Cluster): Promise<{ alone: Latency; measured: Measured[] }> {
  const origin = (edges[0] as URL).href
  const options: AttackerOptions = { origin, customers }
  const attacker = new Worker(new URL('./neighbour-attacker.ts', import.meta.url), { workerData: options })
  await once(attacker, 'message')
  const neighbour = await prepareNeighbour(origin)
  await neighbour(CALM_MS)
  const alone: number[] = []
  const measured: Measured[] = []
  const only = values.only.split(',')
  for (const [attack, { by }] of Object.entries(ATTACKS)) {
    if (!only.some((text) => attack.includes(text))) continue
    // Attacks with deliveries are the last: the work that they leave under way goes on for long.
    if (by === undefined || alone.length === 0) alone.push(...(await neighbour(ALONE_MS)))
    const order: Order = { attack, durationMs: seconds * 1_000 }
    const ended = once(attacker, 'message')
    attacker.postMessage(order)
    const latency = latencyOf(await neighbour(seconds * 1_000))
    const [statuses] = (await ended) as [Statuses]
    measured.push({ attack, statuses, latency })
    await neighbour(CALM_MS)
  }
  await attacker.terminate()
  return { alone: latencyOf(alone), measured }
}

/** Returns a function that reads and writes in turn for so long, one request after the other, and returns how long each took. */
async function prepareNeighbour(origin: string): Promise<(durationMs: number) => Promise<number[]>> {
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
      const startedAtMs = clock()
      const answer = await (turns[turn % turns.length] as () => Promise<Response>)()
      await answer.arrayBuffer()
      tookMs.push(clock() - startedAtMs)
      if (!answer.ok) throw new Error(`the neighbour got ${answer.status}`)
    }
    return tookMs
  }
}

/** Returns a clock that goes on only while the thread of workerd that does all the work has the CPU. */
function cpuClockOfWorkerd(): () => number {
  const threads = readdirSync('/proc/self/task')
  const children = threads.flatMap((thread) => readFileSync(`/proc/self/task/${thread}/children`, 'utf8').split(' '))
  const workerd = children.find((pid) => pid !== '' && readFileSync(`/proc/${pid}/comm`, 'utf8') === 'workerd\n')
  if (workerd === undefined) throw new Error('workerd is no child of this process')
  return () => Number(readFileSync(`/proc/${workerd}/schedstat`, 'utf8').split(' ')[0]) / 1e6
}

function latencyOf(tookMs: readonly number[]): Latency {
  const sorted = tookMs.toSorted((a, b) => a - b)
  const quantile = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] as number
  return { p50: quantile(0.5), p99: quantile(0.99), count: sorted.length }
}

function row({ attack, statuses, latency }: Measured, alone: Latency): string[] {
  return [
    attack,
    Object.entries(statuses)
      .map(([status, times]) => `${times} × ${status}`)
      .join(', '),
    `${latency.p50.toFixed(1)}, ${latency.p99.toFixed(1)} ms, ${latency.count}`,
    `${(latency.p99 / alone.p99).toFixed(1)} ×`,
    `${(latency.p99 - alone.p99).toFixed(0)} ms`,
  ]
}

function print(alone: Latency, measured: Measured[]): void {
  console.log(`alone: ${textOf(alone)}`)
  const rows = [HEADINGS, ...measured.map((one) => row(one, alone))]
  const widths = HEADINGS.map((_, at) => Math.max(...rows.map((cells) => cells[at]?.length ?? 0)))
  for (const cells of rows)
    console.log(
      cells
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
  console.log(verdictOf(alone, measured))
}

function textOf({ p50, p99, count }: Latency): string {
  return `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms of ${count} requests`
}

/** Says beside which attacks the neighbour misses the goal. */
function verdictOf(alone: Latency, measured: readonly Measured[]): string {
  const bad = measured.filter(
    ({ latency }) => latency.p99 > FACTOR_MAX * alone.p99 && latency.p99 - alone.p99 > DIFFERENCE_MAX_MS,
  )
  const goal = `more than ${FACTOR_MAX} times and ${DIFFERENCE_MAX_MS} ms above alone`
  if (bad.length === 0) return `None is ${goal}.`
  return `${bad.length} of ${measured.length} are ${goal}: ${bad.map(({ attack }) => attack).join('; ')}.`
}
