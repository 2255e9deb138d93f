/** The steps of the space of writes: scenarios, events, and how a path reads as a story. */
import type { Command } from '../../../src/registry/ports.ts'

export interface ScenarioRequest {
  command: Command
  /** The idempotency key. */
  key?: string
  /** The request that this one repeats: it is sent later than that one, with the same key. */
  repeats?: number
}

export interface WritesScenario {
  name: string
  requests: readonly ScenarioRequest[]
  ticks: number
  stepsMs: readonly number[]
  restarts?: number
  /** Trips to D1 whose answer is lost. One that had not begun may still run, at any time. */
  losses?: number
  /** Trips that D1 refuses before they begin. */
  overloads?: number
  /** Trips that D1 refuses because it is full. */
  fulls?: number
  /** Reads that fill a cache with what a replica shows. */
  reads?: number
  /** True if the isolate of a caller keeps the customer of the reply where the gate says that it may. */
  keepsWrites?: true
  /** How far D1’s clock is ahead of the gate’s. */
  d1AheadMs?: number
}

export type WritesEvent =
  | { kind: 'send'; request: number }
  | { kind: 'run' | 'answer' | 'lose' | 'overload' | 'full'; call: number; what: string }
  | { kind: 'late'; what: string }
  | { kind: 'wake' }
  | { kind: 'alarm' }
  | { kind: 'tick'; ms: number }
  | { kind: 'restart' }
  | { kind: 'read'; version: number }

/** Returns the story of a path as lines. */
export function story(path: readonly WritesEvent[], violation: string): string {
  const lines = path.map((event, at) => `${String(at + 1).padStart(3)}. ${sentence(event)}`)
  return [...lines, `     ${violation}`].join('\n')
}

function sentence(event: WritesEvent): string {
  switch (event.kind) {
    case 'send':
      return `request ${event.request} reaches the gate`
    case 'run':
      return `D1 runs trip ${event.call} (${event.what})`
    case 'answer':
      return `the answer to trip ${event.call} (${event.what}) reaches the gate`
    case 'lose':
      return `the connection breaks under trip ${event.call} (${event.what})`
    case 'overload':
      return `D1 refuses trip ${event.call} (${event.what}) before it begins`
    case 'full':
      return `D1 refuses trip ${event.call} (${event.what}) because it is full`
    case 'late':
      return `D1 runs a trip that nobody waits for (${event.what})`
    case 'wake':
      return 'the gate wakes and looks again'
    case 'alarm':
      return 'the gate’s alarm goes off'
    case 'tick':
      return `${event.ms} ms pass`
    case 'restart':
      return 'the gate dies and starts again'
    case 'read':
      return `an isolate with a lease of now reads version ${event.version} of the customer and keeps it`
  }
}
