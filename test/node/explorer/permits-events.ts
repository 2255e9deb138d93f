/** The steps of the permits space: scenarios, events, and how an event reads in a story. */

import type { ScenarioPolicy } from './observer.ts'
import type { Kept } from './projection.ts'

/** A small world: what may happen in it, and how often. Everything that may happen is tried at every moment, in any order. */
export interface PermitsScenario {
  name: string
  /** By version, from 1 on. The first is in force at the beginning. */
  policies: readonly ScenarioPolicy[]
  /** How far the clock of each isolate is off. */
  isolates: readonly number[]
  asks: number
  /** How many permits an ask may want. */
  wants: readonly number[]
  admits: number
  /** How late an isolate may read its clock as it admits. */
  lagsMs?: readonly number[]
  ticks: number
  /** How much time may pass. The lengths lie just before and just behind the edges of the rules. */
  stepsMs: readonly number[]
  /** True if an ask may be under way, and be overtaken; else it reaches the gate at once. */
  asksTravel?: boolean
  /** Messages that may arrive twice. */
  doubles?: number
  restarts?: number
  /** How far the clock of a gate may be ahead as it starts. */
  aheadsMs?: readonly number[]
  /** How far the clock of the first gate is ahead; below zero if it has lost time before anyone called. */
  gateAheadMs?: number
  /** Versions that may be put into force, in any order and each once for each time it is listed. */
  changes?: readonly number[]
  /** Writes, which take their permit at the gate. */
  writes?: number
  /** Asks that a gate may answer with "busy". */
  busy?: number
  /** Requests that may turn out to cost this many permits more. */
  charges?: number
  chargePermits?: number
  /** Time that the clock of the gate may lose in a step, for good. */
  losses?: number
  lossMs?: number
  /** How much of what it lost it may find again, once. */
  gainMs?: number
  /** How far an isolate's clock may go back, once. */
  jumpMs?: number
  /** The keys of the requests; null is a caller that needs none. */
  keys?: readonly (string | null)[]
  /** The key `a` ends after this. */
  keyLeftMs?: number
  annualLimit?: number
  kept?: Kept
}

export type PermitsEvent =
  | { kind: 'ask'; isolate: number; want: number; ask: number; arrives: boolean; keys: string[] }
  | { kind: 'arrive'; ask: number; isBusy: boolean; isDoubled: boolean; granted: string }
  | { kind: 'absorb'; isolate: number; ask: number; isDoubled: boolean; lagMs: number }
  | { kind: 'admit'; isolate: number; lagMs: number; key: string | null }
  | { kind: 'charge'; isolate: number; permits: number }
  | { kind: 'tick'; ms: number; lostMs: number }
  | { kind: 'restart'; aheadMs: number }
  | { kind: 'change'; version: number; waitMs: number }
  | { kind: 'write' }
  | { kind: 'begin' }
  | { kind: 'jump'; isolate: number; ms: number }
  | { kind: 'accounts'; counted: number }

/** Returns the story of a path as lines. */
export function story(path: readonly PermitsEvent[], violation: string): string {
  const lines = path.map((event, at) => `${String(at + 1).padStart(3)}. ${sentence(event)}`)
  return [...lines, `     ${violation}`].join('\n')
}

function sentence(event: PermitsEvent): string {
  const named = 'isolate' in event ? `isolate ${'ABC'[event.isolate]}` : ''
  switch (event.kind) {
    case 'ask':
      return `${named} asks for ${event.want} permits (ask ${event.ask})${event.arrives ? ', which reaches the gate at once' : ''}`
    case 'arrive':
      return `ask ${event.ask} reaches the gate${event.isDoubled ? ', and a copy stays under way' : ''}: ${event.granted}`
    case 'absorb':
      return `the reply to ask ${event.ask} reaches ${named}${event.isDoubled ? ', and a copy stays under way' : ''}${late(event.lagMs)}`
    case 'admit':
      return `${named} admits a request${event.key ? ` of key ${event.key}` : ''}${late(event.lagMs)}`
    case 'charge':
      return `a request at ${named} turns out to cost ${event.permits} permits more`
    case 'tick':
      return `${event.ms} ms pass${event.lostMs > 0 ? `, of which the gate's clock loses ${event.lostMs}` : ''}${event.lostMs < 0 ? `, and the gate's clock finds ${-event.lostMs} ms again` : ''}`
    case 'restart':
      return `the gate restarts${event.aheadMs > 0 ? `, its clock ${event.aheadMs} ms ahead` : ''}`
    case 'change':
      return `the gate gets policy version ${event.version}, to be answered after ${event.waitMs} ms`
    case 'write':
      return 'the gate admits a write'
    case 'begin':
      return 'the admitted writes get a number, and are settled'
    case 'jump':
      return `the clock of ${named} goes back by ${event.ms} ms`
    case 'accounts':
      return `every isolate reports once more: the gate has counted ${event.counted}`
  }
}

function late(lagMs: number): string {
  return lagMs > 0 ? `, its clock ${lagMs} ms late` : ''
}
