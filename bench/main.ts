/**
 * `npm run bench`: measures the figures of docs/figures.md and writes them there. They are ratios within one run,
 * because absolute times depend on the machine. With names as arguments (`npm run bench -- http memory`) it measures
 * and prints only those, and leaves docs/figures.md unchanged.
 */
import { keepInMemory } from '../test/node/support/memory.ts'
import { costFigures } from './cost-figures.ts'
import { WITHIN_REGION_MS } from './distance/regions.ts'
import { simulate } from './gate-model.ts'
import { measureHttp } from './http.ts'
import { measureImport } from './import.ts'
import { measureMemory } from './memory.ts'
import { writeToPage } from './page.ts'
import { measurePolicyChange } from './policy-change.ts'
import { measureBundle, measureStartMs } from './size.ts'
import { measureWebhooks } from './webhooks.ts'
import { measureWrites } from './writes.ts'

interface Figure {
  what: string
  value: string
  goal: string
}

const benches: Record<string, () => Figure[] | Promise<Figure[]>> = {
  http,
  costs: costFigures,
  leases,
  policy,
  memory,
  writes,
  imports,
  webhooks,
  size,
}

const wanted = process.argv.slice(2)
const names = wanted.length > 0 ? wanted : Object.keys(benches)
const unknown = names.filter((name) => !benches[name])
if (unknown.length > 0) {
  console.error(`There is no bench ${unknown.join(', ')}. There are: ${Object.keys(benches).join(', ')}.`)
  process.exit(2)
}

// The disk of this machine is no part of what is measured.
keepInMemory()
const figures: Figure[] = []
for (const name of names) {
  console.log(`measuring ${name} …`)
  for (const figure of (await benches[name]?.()) ?? []) {
    console.log(`  ${figure.what}: ${figure.value}  (goal ${figure.goal})`)
    figures.push(figure)
  }
}
if (wanted.length === 0) {
  const rows = figures.map(({ what, value, goal }) => [what, value, goal])
  writeToPage('figures', 'npm run bench', [['what', 'measured', 'goal'], ...rows])
}

async function http(): Promise<Figure[]> {
  const { hotOverBare, hotOverUsual } = await measureHttp()
  return [
    {
      what: 'requests/s of a hot `GET /v1/customers/{id}` ÷ a bare Hono route with the same body',
      value: `${hotOverBare.ratio.toFixed(2)} (${spread(hotOverBare.ratios)})`,
      goal: '≥ 0.70',
    },
    {
      what: 'the same ÷ the usual design: key in KV, a Durable Object per request, customer in KV',
      value: `${hotOverUsual.ratio.toFixed(1)} (${spread(hotOverUsual.ratios)})`,
      goal: '≥ 3',
    },
  ]
}

function leases(): Figure[] {
  const run = (ratePerSecond: number, load: number, isolates = 1) =>
    simulate({
      ratePerSecond,
      burst: 2 * ratePerSecond,
      isolates,
      offeredPerSecond: ratePerSecond * load,
      seconds: Math.max(20, 20_000 / ratePerSecond),
      seed: 1,
    })
  const calls = (rate: number) => run(rate, 1).callsPerThousand.toFixed(1)
  const lost = (rate: number, load: number) => {
    const worst = Math.max(...[1, 10, 100].map((isolates) => run(rate, load, isolates).lostShare))
    return `${(100 * Math.max(0, worst)).toFixed(1)} %`
  }
  const half = Math.min(...[50, 100, 200, 1_000].map((rate) => run(rate, 0.5).zeroIoShare))
  return [
    { what: 'calls to the gate per 1,000 requests, one isolate at 100 requests/s', value: calls(100), goal: '≤ 50' },
    { what: 'the same at 1,000 requests/s', value: calls(1_000), goal: '≤ 6' },
    { what: 'requests decided without I/O at half the limit', value: `${(100 * half).toFixed(1)} %`, goal: '≥ 95 %' },
    { what: 'lost against one central bucket at twice the limit', value: lost(100, 2), goal: '≤ 1.5 %' },
    { what: 'the same at the limit, 100 requests/s', value: lost(100, 1), goal: '≤ 3 %' },
    { what: 'the same at the limit, 10 requests/s', value: lost(10, 1), goal: '≤ 6 %' },
  ]
}

async function policy(): Promise<Figure[]> {
  const { underLoadMs, idleMs, admittedAfter } = await measurePolicyChange()
  return [
    {
      what: 'a change of policy, three isolates under load',
      value: `${(underLoadMs / 1000).toFixed(2)} s`,
      goal: '≤ 1.2 s',
    },
    { what: 'a change of policy, idle tenant', value: `${Math.round(idleMs)} ms`, goal: '≤ 100 ms' },
    { what: 'requests admitted after a suspension was answered', value: String(admittedAfter), goal: '0' },
  ]
}

function memory(): Figure[] {
  const { bytesPerCustomer, customersHeld, filledMb, afterMillionMb } = measureMemory()
  return [
    { what: 'memory of an isolate for each customer it remembers', value: `${bytesPerCustomer} bytes`, goal: '' },
    {
      what: `memory when full (${customersHeld} customers) and after a million distinct reads`,
      value: `${filledMb} MB, ${afterMillionMb} MB`,
      goal: 'the same',
    },
  ]
}

function size(): Figure[] {
  const { gzipKib, startCalls } = measureBundle()
  return [
    { what: 'the bundle, gzipped', value: `${Math.round(gzipKib)} KiB`, goal: '≤ 260 KiB' },
    { what: 'function calls of a start', value: startCalls.toLocaleString('en'), goal: '≤ 13,500' },
    { what: 'CPU time of a start', value: `${Math.round(measureStartMs())} ms`, goal: '≤ 35 ms' },
  ]
}

async function writes(): Promise<Figure[]> {
  const { local, acrossZones, queueOverNoQueue } = await measureWrites()
  const across = `the same, ${WITHIN_REGION_MS} ms from the gate to D1 and from the Worker to the gate`
  return [
    { what: 'writes/s of 64 writers at once ÷ one writer', value: local.concurrentOverLone.toFixed(1), goal: '≥ 4' },
    { what: across, value: acrossZones.concurrentOverLone.toFixed(1), goal: '≥ 8' },
    { what: 'p50 of a lone write with the queue ÷ without', value: queueOverNoQueue.toFixed(2), goal: '≤ 1.05' },
  ]
}

async function imports(): Promise<Figure[]> {
  const { perSecond, unchangedPerSecond, undonePerSecond, undonePerCreated } = await measureImport()
  const value = `${Math.round(perSecond)} new, ${Math.round(unchangedPerSecond)} unchanged`
  const undone = `${Math.round(undonePerSecond)}, ${undonePerCreated.toFixed(2)} of the import`
  return [
    { what: 'customers imported in a second, local D1', value, goal: '≥ 2,000' },
    { what: 'customers that an undo reverts in a second', value: undone, goal: '≥ 2,000' },
  ]
}

async function webhooks(): Promise<Figure[]> {
  const value = `${Math.round(await measureWebhooks())}`
  return [
    { what: 'deliveries a second to one receiver that answers at once, local D1 and queue', value, goal: '≥ 400' },
  ]
}

function spread(ratios: number[]): string {
  return `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)} in ${ratios.length} rounds`
}
