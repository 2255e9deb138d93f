/**
 * A read in progress as plain data: the answers that it got so far, each with what the isolate had at that moment. The real code
 * awaits, so it cannot be copied half-way: it is run again from the beginning instead.
 */

import type { View } from '../../../src/gate/core/freshness.ts'
import type { ConsistencyToken, FreshRead, ReadFrom, Stamped } from '../../../src/gate/isolate/fresh-read.ts'
import type { Core } from './projection.ts'

/** A customer is the number of the commit that changed it last. */
export type Version = number

/** An answer to a read, with what the isolate had at that moment. */
export interface Step {
  what: 'start' | 'lease' | 'kv' | 'late' | 'd1'
  view: number
  memory: Stamped<Version> | null
  isLeased?: boolean
  kept?: Stamped<Version> | null
  call?: number
  value?: Version | null
  bookmark?: string | null
}

export interface Reading {
  token: (ConsistencyToken & { version: Version }) | null
  owed: Version
  steps: Step[]
}

/** Where a read stands: what it waits for, or what it found. */
export interface Standing {
  waitsForLease: boolean
  waitsForKv: boolean
  /** True while D1 waits for KV. */
  isPatient: boolean
  /** Calls of D1 without an answer, each with where it may read. */
  calls: { call: number; from: ReadFrom }[]
  result: FreshRead<Version> | null
  /** True if the read was rejected. */
  isFailed: boolean
}

const NOWHERE: Standing = {
  waitsForLease: false,
  waitsForKv: false,
  isPatient: false,
  calls: [],
  result: null,
  isFailed: false,
}

/** Runs the real `readFresh` through the answers that it got so far, and returns where it stands. */
export async function standingOf(
  core: Core,
  { token, steps }: Reading,
  buckets: readonly number[],
  viewOf: (view: number) => View,
): Promise<Standing> {
  const view = new core.View()
  let memory: Stamped<Version> | null = null
  const standing: Standing = { ...NOWHERE, calls: [] }
  let toLease: (view: View) => void = () => {}
  let toKv: (kept: Stamped<Version> | null) => void = () => {}
  let toLate: (late: 'late') => void = () => {}
  const toD1: ((read: { value: Version | null; bookmark: string | null }) => void)[] = []
  const ports = {
    databaseHint: () => 0,
    memory: () => memory ?? undefined,
    kv: () => {
      standing.waitsForKv = true
      return new Promise<Stamped<Version> | null>((resolve) => {
        toKv = resolve
      })
    },
    soon: (kv: Promise<Stamped<Version> | null>) => {
      standing.isPatient = true
      const late = new Promise<'late'>((resolve) => {
        toLate = resolve
      })
      return Promise.race([kv, late])
    },
    d1: (from: ReadFrom) => {
      standing.calls.push({ call: toD1.length, from })
      return new Promise<{ value: Version | null; bookmark: string | null }>((resolve) => toD1.push(resolve))
    },
    lease: () => {
      if (steps[0]?.isLeased) return view
      standing.waitsForLease = true
      return new Promise<View>((resolve) => {
        toLease = resolve
      })
    },
  }
  for (const step of steps) {
    Object.assign(view, viewOf(step.view))
    memory = step.memory
    if (step.what === 'start') {
      void core.readFresh<Version>(ports, buckets, token).then(
        (result) => {
          standing.result = result
        },
        () => {
          standing.isFailed = true
        },
      )
    } else if (step.what === 'lease') {
      standing.waitsForLease = false
      toLease(view)
    } else if (step.what === 'kv') {
      standing.waitsForKv = false
      standing.isPatient = false
      toKv(step.kept ?? null)
    } else if (step.what === 'late') {
      standing.isPatient = false
      toLate('late')
    } else {
      standing.calls = standing.calls.filter(({ call }) => call !== step.call)
      toD1[step.call as number]?.({ value: step.value ?? null, bookmark: step.bookmark ?? null })
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  return standing
}
