/**
 * What wiring.ts is for requests, this is for onboarding: chooses the real stores, engine and registry for the door, for the
 * queue's consumer, for the workflow and for the sweep.
 */
import { stepWords } from '../dialects/v1-onboarding/step-words.ts'
import { readEnv } from '../env.ts'
import type { EdgeRegistry } from '../gate/edge-registry.ts'
import { type EndDeps, failRun } from '../onboarding/end.ts'
import { workflowEngine } from '../onboarding/engine.ts'
import { type OnboardingDeps, type StartDeps, startRun, sweepRuns } from '../onboarding/operations.ts'
import { Performer } from '../onboarding/perform.ts'
import type { OnboardingParams } from '../onboarding/ports.ts'
import type { Scope } from '../registry/customer.ts'
import { systemClock } from '../shared/clock.ts'
import { newId } from '../shared/ids.ts'
import { runQueue, runStore, sweepEndedRuns } from '../storage/onboarding-runs.ts'
import { onboardingSettings } from '../storage/settings.ts'
import { announce } from './outbox.ts'
import { postDeps } from './webhooks.ts'

export function onboardingDeps(env: Cloudflare.Env, scope: Scope): OnboardingDeps {
  const { db, onboarding } = readEnv(env)
  return {
    scope,
    settings: onboardingSettings(db, scope),
    runs: runStore(db, scope),
    engine: workflowEngine(onboarding),
    clock: systemClock,
    destinations: postDeps(env),
  }
}

/** `registryFor` is the registry under the name of onboarding, for one change. */
export function performer(
  env: Cloudflare.Env,
  { customerId, ...scope }: OnboardingParams,
  registryFor: (requestId: string) => EdgeRegistry,
): Performer {
  return new Performer(customerId, {
    ...endDeps(env, scope),
    settings: onboardingSettings(readEnv(env).db, scope),
    registry: registryFor,
    post: postDeps(env),
    words: stepWords,
  })
}

/** What a message says: there is a run to start. */
export async function startOnboarding(params: OnboardingParams, env: Cloudflare.Env): Promise<void> {
  await startRun(startDeps(env), params)
}

/** Starts what nobody has started, ends what the engine has given up, and forgets what is old. */
export async function sweepOnboarding(env: Cloudflare.Env, nowMs: number): Promise<void> {
  try {
    await sweepRuns(startDeps(env), ({ customerId, ...scope }) => failRun(endDeps(env, scope), customerId))
  } finally {
    await sweepEndedRuns(readEnv(env).db, nowMs)
  }
}

function startDeps(env: Cloudflare.Env): StartDeps {
  const { db, onboarding } = readEnv(env)
  return { queue: runQueue(db), engine: workflowEngine(onboarding), clock: systemClock }
}

function endDeps(env: Cloudflare.Env, scope: Scope): EndDeps {
  return {
    scope,
    runs: runStore(readEnv(env).db, scope),
    clock: systemClock,
    newId,
    announce: (customerId) => announce(env, scope, [customerId]),
  }
}
