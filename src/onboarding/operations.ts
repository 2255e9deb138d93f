/**
 * The operations on onboarding: read and replace settings; start and show runs; send signals to them. The APIs and the
 * queue call these. The work of a run's steps is in perform.ts.
 */
import { type DestinationRules, problemOfDestination } from '../events/destination.ts'
import { rotateSecrets } from '../events/rotation.ts'
import { newSecret } from '../events/signature.ts'
import { type IdempotentRequest, storeResultAfter, withIdempotency } from '../idempotency/idempotency.ts'
import type { Scope } from '../registry/customer.ts'
import { type InputProblem, invalidInput, notFound, ruledOut, unavailable } from '../registry/errors.ts'
import type { Precondition } from '../registry/precondition.ts'
import type { Clock } from '../shared/clock.ts'
import { describeError, log } from '../shared/log.ts'
import type { Engine, OnboardingParams, RunQueue, RunStore, SettingsStore, StoredSettings } from './ports.ts'
import { awaitsRetry, hasEnded, progressOf, type Run, retargeted, signalled, signalsOf, waitsFor } from './run.ts'
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

const NOTHING_SET: StoredSettings = {
  settings: { workflows: {} },
  version: 0,
  secrets: [],
  sealedSecrets: '',
  updatedAtMs: null,
  updatedBy: null,
}

export async function readSettings({ settings }: OnboardingDeps): Promise<StoredSettings> {
  return (await settings.read()) ?? NOTHING_SET
}

/**
 * Replaces all settings. `secret` signs the calls of webhook steps; it is returned with the first settings and never
 * again. Throws `RegistryError` with `version_conflict` if the settings do not meet the precondition.
 */
export async function replaceSettings(
  deps: OnboardingDeps,
  settings: OnboardingSettings,
  by: { precondition: Precondition | null; actor: string },
): Promise<StoredSettings & { secret: string | null }> {
  await requireDestinations(settings, deps)
  const secret = newSecret()
  const kept = await deps.settings.replace(settings, { ...by, secret, nowMs: deps.clock() })
  return { ...kept, secret: kept.secrets.some((known) => known.secret === secret) ? secret : null }
}

/** Adds a new secret. Earlier ones continue to sign for `overlapMs`. */
export function rotateSecret(
  { settings, clock }: OnboardingDeps,
  overlapMs: number,
  idempotentRequest: IdempotentRequest | null,
): Promise<{ secret: string }> {
  return withIdempotency({ store: settings, clock }, idempotentRequest, (keep) => {
    const nowMs = clock()
    return rotateSecrets({ overlapMs, nowMs }, async (rotate) => {
      const kept = await settings.read()
      if (!kept) throw notFound('setting')
      const { secret, secrets } = rotate(kept.secrets)
      return (await settings.replaceSecrets(kept, secrets, nowMs, await keep({ secret }))) ? { secret } : null
    })
  })
}

export async function readRun({ runs }: OnboardingDeps, customerId: string): Promise<Run> {
  return found(await runs.read(customerId))
}

/**
 * Sends a signal to a run. Stores it first, so that a run that reaches the waiting step later finds it; then notifies
 * the engine. A repeated signal has no further effect.
 */
export function signalRun(
  deps: OnboardingDeps,
  customerId: string,
  signal: string,
  idempotentRequest: IdempotentRequest | null,
): Promise<Run> {
  const { settings, clock } = deps
  return withIdempotency({ store: settings, clock }, idempotentRequest, async (keep) => {
    const run = await sendSignal(deps, customerId, signal)
    return storeResultAfter(settings, keep, run)
  })
}

async function sendSignal(deps: OnboardingDeps, customerId: string, signal: string): Promise<Run> {
  const run = found(await deps.runs.change(customerId, (now) => signalled(now, signal, deps.clock())))
  requireSignal(run, signal)
  if (hasEnded(run)) return run
  try {
    // A run that has not started yet checks its stored signals when it reaches the step.
    await deps.engine.signal({ ...deps.scope, customerId }, signal)
  } catch (error) {
    log('error', { event: 'signal_not_sent', customerId, error: describeError(error), ...deps.scope })
    throw unavailable()
  }
  return run
}

/**
 * Attempts the current step of a run now if it waits for its next attempt, with the URLs of the settings as they are
 * now. Else changes nothing.
 */
export function retryRun(
  deps: OnboardingDeps,
  customerId: string,
  idempotentRequest: IdempotentRequest | null,
): Promise<Run> {
  const { settings, clock } = deps
  return withIdempotency({ store: settings, clock }, idempotentRequest, async (keep) =>
    storeResultAfter(settings, keep, await retry(deps, customerId)),
  )
}

async function retry(deps: OnboardingDeps, customerId: string): Promise<Run> {
  const { settings } = await readSettings(deps)
  const run = found(
    await deps.runs.change(customerId, (now) => retargeted(now, settings.workflows[now.workflow]?.steps ?? [])),
  )
  if (!awaitsRetry(run)) return run
  try {
    await deps.engine.restart({ ...deps.scope, customerId })
  } catch (error) {
    log('error', { event: 'onboarding_not_retried', customerId, error: describeError(error), ...deps.scope })
    throw unavailable()
  }
  return run
}

/** Starts the run that a queue message names. A late or repeated message starts nothing. */
export async function startRun({ queue, engine, clock }: StartDeps, params: OnboardingParams): Promise<void> {
  const started = await engine.start([params])
  await queue.started(started, clock())
  // Usually because too many are being started at once. The queue redelivers the message a little later.
  if (started.length === 0) throw new Error('the engine did not take the onboarding on')
}

/** Rounds of one sweep; each starts as many runs as the engine accepts at once. */
const START_ROUNDS_MAX = 20

/** Starts overdue runs whose message was lost, and ends runs that the engine has given up. */
export async function sweepRuns(
  { queue, engine, clock }: StartDeps,
  end: (params: OnboardingParams) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < START_ROUNDS_MAX; round++) {
    const overdue = await queue.claimOverdue(clock())
    if (overdue.length === 0) break
    const started = await engine.start(overdue)
    await queue.started(started, clock())
    // The engine accepts no more for now.
    if (started.length < overdue.length) break
  }
  for (const params of await queue.claimUnderWay(clock())) {
    try {
      if (!(await engine.isAlive(params))) await end(params)
    } catch (error) {
      // This run is checked again in a day; the others are checked now.
      log('error', { event: 'onboarding_not_looked_at', error: describeError(error), ...params })
    }
  }
}

/** Each host takes two look-ups in the DNS, and a request may make few of them. */
const HOSTS_MAX = 20

/** Throws all problems with the URLs of webhook steps at once, each with its field. */
async function requireDestinations(
  { workflows }: OnboardingSettings,
  { scope, destinations }: OnboardingDeps,
): Promise<void> {
  const named = Object.entries(workflows).flatMap(([name, { steps }]) =>
    steps.flatMap((step, at) =>
      step.type === 'webhook' ? [{ field: `workflows.${name}.steps.${at}.url`, url: step.url }] : [],
    ),
  )
  const hosts = new Set(named.map(({ url }) => URL.parse(url)?.host ?? ''))
  if (hosts.size > HOSTS_MAX) {
    const fix = `send at most ${HOSTS_MAX} hosts, with as many paths as you like`
    throw invalidInput([{ field: 'workflows', message: `has steps that call ${hosts.size} hosts`, fix }])
  }
  const lookUps = new Map<string, Promise<string[]>>()
  const resolve = (name: string) => {
    const lookUp = lookUps.get(name) ?? destinations.resolve(name)
    lookUps.set(name, lookUp)
    return lookUp
  }
  const judged = new Map<string, ReturnType<typeof problemOfDestination>>()
  for (const { url } of named) {
    if (!judged.has(url)) judged.set(url, problemOfDestination(url, { ...destinations, resolve }))
  }
  const judgements = await Promise.all(named.map(({ url }) => judged.get(url))).catch((error): never => {
    log('warn', { event: 'lookup_failed', error: describeError(error), ...scope })
    throw unavailable()
  })
  const problems = named.flatMap(({ field }, at): InputProblem[] => {
    const problem = judgements[at]
    return problem ? [{ field, message: problem.message, fix: problem.fix }] : []
  })
  if (problems.length > 0) throw invalidInput(problems)
}

function requireSignal(run: Run, signal: string): void {
  const at = run.steps.findIndex((step) => waitsFor(step, signal))
  const names = signalsOf(run)
  if (at === -1) {
    const fix = names.length > 0 ? `send one of ${names.join(', ')}` : 'send none: no step waits for one'
    throw ruledOut('signal', 'is a signal that no step waits for', fix)
  }
  if (hasEnded(run) && progressOf(run, at).signalledAtMs === null) {
    throw ruledOut('signal', 'comes too late', 'send none: the onboarding has ended')
  }
}

function found(run: Run | null): Run {
  if (!run) throw notFound('onboarding')
  return run
}
