/** Sends requests to some Durable Objects all the time, and finds out how a deployment replaced the objects. */
import { type Context, textOf } from '../experiment.ts'

/** One request that was answered, or failed. */
export interface Sample {
  sentAtMs: number
  receivedAtMs: number
  object: string
  /** Versions of the isolate and of the object that answered; null if the request failed. */
  answer: { worker: string; version: string; instance: string } | null
  error: string | null
}

const OBJECTS = ['load-1', 'load-2', 'load-3', 'load-4']
const PAUSE_MS = 250
const WAIT_POLL_MS = 250

export interface Load {
  samples: Sample[]
  /** Returns true once `done` of the newest answer of each object, false when `timeoutMs` are over. */
  until(done: (newest: NonNullable<Sample['answer']>) => boolean, timeoutMs: number): Promise<boolean>
  stop(): Promise<void>
}

/** Begins to call each object, a request after the other, until `stop` or the end of the experiment. */
export function startLoad(context: Context): Load {
  const samples: Sample[] = []
  const ending = new AbortController()
  const lanes = OBJECTS.map(async (object) => {
    while (!ending.signal.aborted && !context.signal.aborted) {
      samples.push(await ask(context, object))
      await context.sleep(PAUSE_MS).catch(() => {})
    }
  })
  return {
    samples,
    async until(done, timeoutMs) {
      const deadlineMs = Date.now() + timeoutMs
      for (;;) {
        const newest = OBJECTS.map((object) => samples.findLast((sample) => sample.object === object)?.answer)
        if (newest.every((answer) => answer && done(answer))) return true
        if (Date.now() > deadlineMs) return false
        await context.sleep(WAIT_POLL_MS)
      }
    },
    async stop() {
      ending.abort()
      await Promise.all(lanes)
    },
  }
}

async function ask(context: Context, object: string): Promise<Sample> {
  const sentAtMs = Date.now()
  try {
    const answer = await context.probe<NonNullable<Sample['answer']>>('object', { object })
    return { sentAtMs, receivedAtMs: Date.now(), object, answer, error: null }
  } catch (error) {
    return { sentAtMs, receivedAtMs: Date.now(), object, answer: null, error: textOf(error) }
  }
}

export interface Replacement {
  /**
   * How long old objects still answered after the first isolate of the new version did. Null: no such isolate was seen.
   */
  oldLivedMs: number | null
  /** Objects that the new version had not reached at the end. */
  stillOld: number
  failures: Failures
}

export interface Failures {
  requests: number
  failed: number
  /** The most requests of one object that failed one after the other. */
  failedInARow: number
  /** The longest time one object gave no answer. */
  longestSilenceMs: number
}

/** Returns how the objects of the samples came to `version`. */
export function replacementOf(samples: Sample[], version: string): Replacement {
  const firstNew = samples.find(({ answer }) => answer?.worker === version)
  const old = samples.filter(({ answer }) => answer !== null && answer.version !== version)
  const lastOldMs = Math.max(0, ...old.map(({ receivedAtMs }) => receivedAtMs))
  const newest = OBJECTS.map((object) => samples.findLast((sample) => sample.object === object && sample.answer))
  return {
    oldLivedMs: firstNew ? Math.max(0, lastOldMs - firstNew.receivedAtMs) : null,
    stillOld: newest.filter((sample) => sample?.answer?.version !== version).length,
    failures: failuresOf(samples),
  }
}

/** Returns how often objects were restarted. */
export function restartsOf(samples: Sample[]): number {
  return sum(OBJECTS.map((object) => Math.max(0, new Set(instancesOf(samples, object)).size - 1)))
}

export function failuresOf(samples: Sample[]): Failures {
  const lanes = OBJECTS.map((object) => samples.filter((sample) => sample.object === object))
  return {
    requests: samples.length,
    failed: samples.filter(({ answer }) => answer === null).length,
    failedInARow: Math.max(0, ...lanes.map(failedInARow)),
    longestSilenceMs: Math.max(0, ...lanes.map(longestSilenceMs)),
  }
}

function instancesOf(samples: Sample[], object: string): string[] {
  return samples.flatMap((sample) => (sample.object === object && sample.answer ? [sample.answer.instance] : []))
}

function failedInARow(samples: Sample[]): number {
  let [most, now] = [0, 0]
  for (const { answer } of samples) {
    now = answer === null ? now + 1 : 0
    most = Math.max(most, now)
  }
  return most
}

function longestSilenceMs(samples: Sample[]): number {
  const answered = samples.filter(({ answer }) => answer !== null)
  return Math.max(0, ...answered.slice(1).map((sample, at) => sample.receivedAtMs - (answered[at]?.receivedAtMs ?? 0)))
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
