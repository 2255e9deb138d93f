/** Turns the rounds of `npm run bench:peer` into rows of docs/figures.md. Pure. */
import { median } from '../ratio.ts'
import type { Floor } from './floor.ts'

export interface Round {
  perSecond: number
  /** CPU time of all processes of the server, for each request. */
  cpuUs: number
}

/** A load, and for each round the figures of the other server and those of Roster. */
export interface Measured {
  name: string
  rounds: Round[][]
}

export const HEADINGS = [
  'load',
  'Fastify, PostgreSQL, Redis: requests/s',
  'Roster: requests/s',
  'Roster ÷ the other',
  'CPU of the other',
  'CPU of Roster',
]

/** Returns the row of a load: medians of the rounds, with their range. */
export function rowOf({ name, rounds }: Measured): string[] {
  const of = (side: 0 | 1, what: keyof Round) => rounds.map((both) => both[side]?.[what] ?? Number.NaN)
  return [
    name,
    withRange(of(0, 'perSecond'), thousands),
    withRange(of(1, 'perSecond'), thousands),
    withRange(ratiosOf(rounds), (value) => value.toFixed(2)),
    `${thousands(median(of(0, 'cpuUs')))} µs`,
    `${thousands(median(of(1, 'cpuUs')))} µs`,
  ]
}

/** Says which of the two is ahead in how many rows. */
export function verdictOf(measured: readonly Measured[]): string {
  const ahead = measured.filter(({ rounds }) => median(ratiosOf(rounds)) > 1)
  const others = `The other server is ahead in ${measured.length - ahead.length} of ${measured.length} rows`
  return ahead.length === 0 ? `${others}.` : `${others}, Roster in: ${ahead.map(({ name }) => name).join('; ')}.`
}

function ratiosOf(rounds: readonly Round[][]): number[] {
  return rounds.map(([peer, roster]) => (roster?.perSecond ?? Number.NaN) / (peer?.perSecond ?? Number.NaN))
}

/** Says what each call costs by itself. */
export function floorText(floor: Floor): string {
  const calls = Object.entries(floor).map(([name, us]) => `${name} ${thousands(us)} µs`)
  return `CPU of the local simulators for a call, without the request that makes it: ${calls.join(', ')}.`
}

/** Returns the median, and the least and the most behind it. */
export function withRange(values: readonly number[], format: (value: number) => string): string {
  return `${format(median([...values]))} (${format(Math.min(...values))}–${format(Math.max(...values))})`
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en')
}
