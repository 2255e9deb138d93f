import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  begun,
  completed,
  currentStep,
  failed,
  failStep,
  finished,
  hasEnded,
  progressOf,
  type Run,
  signalled,
  waitsFor,
} from '../../../src/onboarding/run.ts'
import type { Step } from '../../../src/onboarding/steps.ts'

const SIGNALS = ['a', 'b']

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.constant<Step>({ type: 'set_metadata', name: null, metadata: {} }),
  fc.constant<Step>({ type: 'wait', name: null, seconds: 1 }),
  fc.constantFrom(...SIGNALS).map((signal): Step => ({ type: 'wait_for', name: null, signal, timeoutSeconds: 1 })),
)

/** The events of a run, in any order and any number of times: isolates die, messages come twice. */
const happening = fc.oneof(
  fc.record({ kind: fc.constantFrom('begun', 'completed', 'wentWrong'), at: fc.nat(3) }),
  fc.record({ kind: fc.constant('signalled'), signal: fc.constantFrom(...SIGNALS) }),
  fc.record({ kind: fc.constantFrom('finished', 'failed') }),
) as fc.Arbitrary<{ kind: string; at?: number; signal?: string }>

function next(run: Run, { kind, at = 0, signal = '' }: { kind: string; at?: number; signal?: string }, nowMs: number) {
  const index = at % run.steps.length
  if (kind === 'begun') return begun(run, index, nowMs)
  if (kind === 'completed') return completed(run, index, nowMs)
  if (kind === 'wentWrong') return failStep(run, index, 'away')
  if (kind === 'failed') return failed(run, nowMs)
  return kind === 'signalled' ? signalled(run, signal, nowMs) : finished(run, nowMs)
}

/** Returns every state that a run goes through. */
const history = fc
  .tuple(fc.array(step, { minLength: 1, maxLength: 4 }), fc.array(happening, { maxLength: 30 }))
  .map(([steps, happenings]) => {
    const run: Run = {
      customerId: 'cust_1',
      workflow: 'default',
      steps,
      progress: [],
      status: 'pending',
      createdAtMs: 0,
      finishedAtMs: null,
    }
    const states = [{ run, signals: new Set<string>() }]
    for (const [at, what] of happenings.entries()) {
      const { run: before, signals } = states.at(-1) as (typeof states)[number]
      const isReceived = what.signal !== undefined && !hasEnded(before)
      states.push({
        run: next(before, what, at + 1) ?? before,
        signals: isReceived ? new Set([...signals, what.signal as string]) : signals,
      })
    }
    return states
  })

describe('a run', () => {
  it('keeps every signal that was received while it was running, for each step that waits for it', () => {
    fc.assert(
      fc.property(history, (states) => {
        for (const { run, signals } of states) {
          for (const [at, waiting] of run.steps.entries()) {
            const isReceived = [...signals].some((signal) => waitsFor(waiting, signal))
            expect(progressOf(run, at).signalledAtMs !== null).toBe(isReceived)
          }
        }
      }),
    )
  })

  it('never undoes a completed step, nor its own end', () => {
    fc.assert(
      fc.property(history, (states) => {
        for (const [at, { run }] of states.entries()) {
          const before = states[at - 1]?.run
          if (before && hasEnded(before)) expect(run).toEqual(before)
          for (const index of run.steps.keys()) {
            const past = before && progressOf(before, index)
            if (past?.status !== 'completed') continue
            expect(progressOf(run, index)).toMatchObject({ status: 'completed', finishedAtMs: past.finishedAtMs })
          }
        }
      }),
    )
  })

  it('stays, once it has failed, at the step that failed, which has the reason', () => {
    fc.assert(
      fc.property(history, (states) => {
        const { run } = states.at(-1) as (typeof states)[number]
        const ended = failed(run, 99)
        if (ended?.status !== 'failed') return
        expect(progressOf(ended, currentStep(ended))).toMatchObject({ status: 'failed', error: expect.any(String) })
        expect(ended.progress.length).toBeLessThanOrEqual(ended.steps.length)
      }),
    )
  })
})
