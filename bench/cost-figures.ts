/** The figures of docs/figures.md about what requests cost: ratios of CPU time, and CPU time beyond the floor. */
import { Changes } from '../src/gate/core/changes.ts'
import { bucketOf } from '../src/gate/core/freshness.ts'
import { measureAllocation } from './allocation.ts'
import { measureCosts, medianOf, medianOfRounds } from './costs.ts'

const MIXED = '95 % reads, 5 % changes of 1,000'

interface Figure {
  what: string
  value: string
  goal: string
}

export async function costFigures(): Promise<Figure[]> {
  const costs = await measureCosts()
  const rate = (load: string) => medianOf(costs, load, 'perSecond')
  const rateTo = (a: string, b: string) =>
    medianOfRounds(costs, a, b, (one, other) => one.perSecond / other.perSecond).toFixed(2)
  const cpuTo = (a: string, b: string) => medianOfRounds(costs, a, b, (one, other) => one.us / other.us).toFixed(2)
  /** Beyond the floor, and as a part of the floor: the first depends on the machine, the second less. */
  const own = (load: string) => {
    const us = medianOfRounds(costs, load, `${load}, floor`, (all, floor) => all.us - floor.us)
    return `${Math.round(us)} µs, ${cpuTo(load, `${load}, floor`)} × the floor`
  }
  const { rosterBytes, bareBytes } = await measureAllocation()
  return [
    {
      what: 'requests/s of a hot read, 32 connections ÷ a bare Hono route that sends one header',
      value: rateTo('hot', 'bare'),
      goal: '≥ 0.75',
    },
    {
      what: 'the same ÷ one that sends our headers',
      value: rateTo('hot', 'bare with headers'),
      goal: '≥ 0.88',
    },
    {
      what: 'CPU of a hot read by external id ÷ by id',
      value: cpuTo('hot by external id', 'hot'),
      goal: '≤ 1.05',
    },
    { what: 'CPU of a 304 ÷ a hot read', value: cpuTo('not modified', 'hot'), goal: '≤ 1' },
    { what: 'CPU of a refusal at the limit ÷ a hot read', value: cpuTo('refused', 'hot'), goal: '≤ 1.05' },
    { what: 'own CPU of a cold read', value: own('cold'), goal: '≤ 150 µs' },
    { what: 'own CPU of a list of 50', value: own('list'), goal: '≤ 200 µs' },
    { what: 'own CPU of a change, one writer', value: own('one writer'), goal: '≤ 500 µs' },
    { what: 'the same, 32 writers', value: own('32 writers'), goal: '≤ 200 µs' },
    {
      what: '95 % reads, 5 % changes of 1,000 customers: requests/s, and ÷ hot reads',
      value: `${Math.round(rate(MIXED))}, ${rateTo(MIXED, 'hot')}`,
      goal: '≥ 6,000',
    },
    {
      what: 'heap allocated for a hot read; a bare route',
      value: `${(rosterBytes / 1_000).toFixed(1)} KB; ${(bareBytes / 1_000).toFixed(1)} KB`,
      goal: '≤ 4.6 KB',
    },
    {
      what: 'values that are still true and pass for true after 1,000 and 10,000 other writes',
      value: [1_000, 10_000].map((writes) => `${Math.round(100 * passing(writes))} %`).join(', '),
      goal: '≥ 95, ≥ 85 %',
    },
  ]
}

/** Returns the share of values that pass, of a tenant that has made 20,000 other writes before. */
function passing(writes: number): number {
  const changes = new Changes()
  const before = 20_000
  for (let write = 1; write <= before + writes; write++) changes.note(bucketOf(`customer ${write}`), write)
  const values = Array.from({ length: 10_000 }, (_, at) => bucketOf(`other ${at}`))
  return values.filter((value) => !changes.isChangedSince(value, before)).length / values.length
}
