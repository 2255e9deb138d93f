/**
 * What may be done about onboarding: settings are read and replaced, runs are started, shown and told of signals. Every door
 * and the queue call these. What the steps of a run do is in perform.ts.
 */
import { type DestinationRules, problemOfDestination } from '../events/destination.ts'
import { rotateSecrets } from '../events/rotation.ts'
import { newSecret } from '../events/signature.ts'
import type { Scope } from '../registry/customer.ts'
import { type InputProblem, Refused } from '../registry/failures.ts'
import { keptAfterwards, onceOnly, type Repeatable } from '../registry/once.ts'
import type { Clock } from '../shared/clock.ts'
import { describeError, log } from '../shared/log.ts'
import type { Engine, KeptSettings, OnboardingParams, RunQueue, RunStore, SettingsStore } from './ports.ts'
import { hasEnded, progressOf, type Run, signalled, signalsOf, waitsFor } from './run.ts'
import type { OnboardingSettings } from './steps.ts'

export interface OnboardingDeps {
  scope: Scope
  settings: SettingsStore
  runs: RunStore
  engine: Engine
  clock: Clock
  destinations: DestinationRules
}

export interface StartDeps {
  queue: RunQueue
  engine: Engine
  clock: Clock
}

const RETRY_AFTER_MS = 1_000

const NOTHING_SET: KeptSettings = {
  settings: { workflows: {} },
  version: 0,
  secrets: [],
  updatedAtMs: null,
  updatedBy: null,
}

export async function readSettings({ settings }: OnboardingDeps): Promise<KeptSettings> {
  return (await settings.read()) ?? NOTHING_SET
}

/** Replaces the whole. `secret` is what signs the calls of webhook steps, told with the first settings and never again. */
export async function replaceSettings(
  deps: OnboardingDeps,
  settings: OnboardingSettings,
  by: { ifVersion: number | null; actor: string },
): Promise<KeptSettings & { secret: string | null }> {
  await requireDestinations(settings, deps)
  const secret = newSecret()
  const kept = await deps.settings.replace(settings, { ...by, secret, nowMs: deps.clock() })
  if (!kept) {
    const { version } = await readSettings(deps)
    throw new Refused({ reason: 'version_conflict', currentVersion: version, resource: 'setting' })
  }
  return { ...kept, secret: kept.secrets.some((known) => known.secret === secret) ? secret : null }
}

/** A new secret; those before it sign along for `overlapMs`. */
export function rotateSecret(
  { settings, clock }: OnboardingDeps,
  overlapMs: number,
  repeatable: Repeatable | null,
): Promise<{ secret: string }> {
  return onceOnly({ store: settings, clock }, repeatable, (keep) =>
    rotateSecrets({ overlapMs, nowMs: clock() }, async (rotate) => {
      const kept = await settings.read()
      if (!kept) throw new Refused({ reason: 'not_found', resource: 'setting' })
      const { secret, secrets } = rotate(kept.secrets)
      return (await settings.replaceSecrets(kept.secrets, secrets, await keep(null, { secret }))) ? { secret } : null
    }),
  )
}

export async function readRun({ runs }: OnboardingDeps, customerId: string): Promise<Run> {
  return found(await runs.read(customerId))
}

/**
 * Tells a run of a signal: kept first, so that a run that has not come so far finds it there, and told to the engine then. A
 * signal that was told before is as good as told.
 */
export function signalRun(
  deps: OnboardingDeps,
  customerId: string,
  signal: string,
  repeatable: Repeatable | null,
): Promise<Run> {
  const { settings, clock } = deps
  return onceOnly({ store: settings, clock }, repeatable, async (keep) => {
    const run = await tellRun(deps, customerId, signal)
    return keptAfterwards(settings, keep, run)
  })
}

async function tellRun(deps: OnboardingDeps, customerId: string, signal: string): Promise<Run> {
  const run = found(await deps.runs.change(customerId, (now) => signalled(now, signal, deps.clock())))
  requireSignal(run, signal)
  if (hasEnded(run)) return run
  try {
    // A run that is not started yet looks for its signals when it gets there.
    await deps.engine.signal({ ...deps.scope, customerId }, signal)
  } catch (error) {
    log('error', { event: 'signal_not_told', customerId, error: describeError(error), ...deps.scope })
    throw new Refused({ reason: 'unavailable', retryAfterMs: RETRY_AFTER_MS })
  }
  return run
}

/** What a message of the queue asks for. One that comes late, or twice, starts nothing. */
export async function startRun({ queue, engine, clock }: StartDeps, params: OnboardingParams): Promise<void> {
  const started = await engine.start([params])
  await queue.started(started, clock())
  // As a rule because too many are started at once: the message comes again a little later.
  if (started.length === 0) throw new Error('the engine did not take the onboarding on')
}

/** Of one sweep, each with as many as the engine takes at once. */
const START_ROUNDS_MAX = 20

/** Starts what no message has started, and ends what the engine has given up. */
export async function sweepRuns(
  { queue, engine, clock }: StartDeps,
  end: (params: OnboardingParams) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < START_ROUNDS_MAX; round++) {
    const overdue = await queue.claimOverdue(clock())
    if (overdue.length === 0) break
    const started = await engine.start(overdue)
    await queue.started(started, clock())
    // It takes no more for now.
    if (started.length < overdue.length) break
  }
  for (const params of await queue.claimUnderWay(clock())) {
    try {
      if (!(await engine.isAlive(params))) await end(params)
    } catch (error) {
      // It is looked at again in a day; the others are looked at now.
      log('error', { event: 'onboarding_not_looked_at', error: describeError(error), ...params })
    }
  }
}

/** Every problem is told at once, of the field that has it. */
async function requireDestinations(
  { workflows }: OnboardingSettings,
  { scope, destinations }: OnboardingDeps,
): Promise<void> {
  const named = Object.entries(workflows).flatMap(([name, { steps }]) =>
    steps.flatMap((step, at) =>
      step.type === 'webhook' ? [{ field: `workflows.${name}.steps.${at}.url`, url: step.url }] : [],
    ),
  )
  const judged = new Map<string, ReturnType<typeof problemOfDestination>>()
  for (const { url } of named) if (!judged.has(url)) judged.set(url, problemOfDestination(url, destinations))
  const judgements = await Promise.all(named.map(({ url }) => judged.get(url))).catch((error): never => {
    log('warn', { event: 'lookup_failed', error: describeError(error), ...scope })
    throw new Refused({ reason: 'unavailable', retryAfterMs: RETRY_AFTER_MS })
  })
  const problems = named.flatMap(({ field }, at): InputProblem[] => {
    const problem = judgements[at]
    return problem ? [{ field, message: problem.message, fix: problem.fix }] : []
  })
  if (problems.length > 0) throw new Refused({ reason: 'invalid_input', problems })
}

function requireSignal(run: Run, signal: string): void {
  const at = run.steps.findIndex((step) => waitsFor(step, signal))
  const names = signalsOf(run)
  if (at === -1) {
    const fix = names.length > 0 ? `send one of ${names.join(', ')}` : 'send none: no step waits for one'
    throw refused('signal', 'is a signal that no step waits for', fix)
  }
  if (hasEnded(run) && progressOf(run, at).signalledAtMs === null) {
    throw refused('signal', 'comes too late', 'send none: the onboarding has ended')
  }
}

function refused(field: string, message: string, fix: string): Refused {
  return new Refused({ reason: 'invalid_input', problems: [{ field, message, fix }] })
}

function found(run: Run | null): Run {
  if (!run) throw new Refused({ reason: 'not_found', resource: 'onboarding' })
  return run
}
