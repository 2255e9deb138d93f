/**
 * The composition of onboarding: chooses the real stores, engine and registry for the v1 API, the queue consumer, the
 * workflow and the sweep.
 */

import { readEnv } from '../env.ts'
import { type EndDeps, failRun } from '../onboarding/end.ts'
import { workflowEngine } from '../onboarding/engine.ts'
import { type OnboardingDeps, type StartDeps, startRun, sweepRuns } from '../onboarding/operations.ts'
import { Performer } from '../onboarding/perform.ts'
import type { OnboardingParams, RunStore, SettingsStore } from '../onboarding/ports.ts'
import { stepFormat } from '../onboarding/step-format.ts'
import type { Scope } from '../registry/customer.ts'
import type { Registry } from '../registry/ports.ts'
import { systemClock } from '../shared/clock.ts'
import { newId } from '../shared/ids.ts'
import { runQueue, runStore, sweepEndedRuns } from '../storage/onboarding/runs.ts'
import { onboardingSettings } from '../storage/onboarding/settings.ts'
import type { Author } from '../tenants/ports.ts'
import { databaseOf, type MethodsOf, storeOf } from './databases.ts'
import { enqueueDeliveries } from './outbox.ts'
import { postDeps, vaultOf } from './webhooks.ts'

const RUNS: MethodsOf<RunStore> = { read: true, isHeld: true, change: true, find: true, end: true }
const SETTINGS: MethodsOf<SettingsStore> = {
  ...{ read: true, replace: true, replaceSecrets: true },
  ...{ storedResponse: true, storeResponse: true },
}

/** `author` is the operator who acts as the tenant; null for a caller of the tenant. */
export function onboardingDeps(env: Cloudflare.Env, scope: Scope, author: Author | null = null): OnboardingDeps {
  const bindings = readEnv(env)
  return {
    scope,
    settings: storeOf(bindings, scope, SETTINGS, (d1) => onboardingSettings(d1, scope, vaultOf(env), author)),
    runs: storeOf(bindings, scope, RUNS, (d1) => runStore(d1, scope)),
    engine: workflowEngine(bindings.onboarding),
    clock: systemClock,
    destinations: postDeps(env),
  }
}

/**
 * Returns the performer of a run's steps. `registryFor` returns the registry for one change, with onboarding as its
 * actor.
 */
export function performer(
  env: Cloudflare.Env,
  { customerId, ...scope }: OnboardingParams,
  registryFor: (requestId: string) => Registry,
): Performer {
  return new Performer(customerId, {
    ...endDeps(env, scope),
    settings: storeOf(readEnv(env), scope, SETTINGS, (d1) => onboardingSettings(d1, scope, vaultOf(env))),
    registry: registryFor,
    post: postDeps(env),
    format: stepFormat,
  })
}

/** Handles a message that there is a run to start. */
export async function startOnboarding(params: OnboardingParams, env: Cloudflare.Env): Promise<void> {
  await startRun(startDeps(env, await databaseOf(readEnv(env), params)), params)
}

/** Starts the runs of a database that were not started, ends those that the engine has given up, and deletes old runs. */
export async function sweepOnboarding(env: Cloudflare.Env, d1: D1Database, nowMs: number): Promise<void> {
  try {
    await sweepRuns(startDeps(env, d1), ({ customerId, ...scope }) => failRun(endDeps(env, scope), customerId))
  } finally {
    await sweepEndedRuns(d1, nowMs)
  }
}

function startDeps(env: Cloudflare.Env, d1: D1Database): StartDeps {
  return { queue: runQueue(d1), engine: workflowEngine(readEnv(env).onboarding), clock: systemClock }
}

function endDeps(env: Cloudflare.Env, scope: Scope): EndDeps {
  return {
    scope,
    runs: storeOf(readEnv(env), scope, RUNS, (d1) => runStore(d1, scope, readEnv(env).archive)),
    clock: systemClock,
    newId,
    enqueueDeliveries: (customerId) => enqueueDeliveries(env, scope, [customerId]),
  }
}
