/** Experiment 5: what a deployment, and a `wrangler tail`, do to Durable Objects that are in use. */
import { type CodeUpdate, type Context, experiment, type Judgement } from '../experiment.ts'
import { type Failures, failuresOf, type Load, type Replacement, replacementOf, restartsOf, startLoad } from './load.ts'

interface Seen {
  immediate: Replacement
  deferred: Replacement
  tail: { connected: boolean; restarts: number; failures: Failures }
}

const IMMEDIATE_MAX_MS = 10_000
const DEFERRED_MAX_S = 300
/** A request every 250 ms: more failing in a row is longer than a second. */
const FAILED_IN_A_ROW_MAX = 4
const TAIL_MS = 10_000
const START_TIMEOUT_MS = 60_000
const DEPLOYED_TIMEOUT_MS = 90_000

function isShort({ failedInARow }: Failures): boolean {
  return failedInARow <= FAILED_IN_A_ROW_MAX
}

function failuresText({ failed, requests, longestSilenceMs }: Failures): string {
  return `${failed} of ${requests} requests failed, longest silence ${longestSilenceMs} ms`
}

function judgeReplacement(replacement: Replacement, limitMs: number): Judgement {
  const { oldLivedMs, stillOld, failures } = replacement
  if (oldLivedMs === null) return { verdict: 'unclear', seen: 'no isolate of the new version answered' }
  const left = stillOld > 0 ? `, ${stillOld} not replaced` : ''
  const seen = `old objects lived ${(oldLivedMs / 1000).toFixed(1)} s${left}; ${failuresText(failures)}`
  const isBorne = stillOld === 0 && oldLivedMs <= limitMs && isShort(failures)
  return { verdict: isBorne ? 'expected' : 'different', seen }
}

function judgeTail({ tail: { connected, restarts, failures } }: Seen): Judgement {
  if (!connected) return { verdict: 'unclear', seen: 'wrangler tail did not connect' }
  const seen = `${restarts} restarts; ${failuresText(failures)}`
  return { verdict: isShort(failures) ? 'expected' : 'different', seen }
}

/** Deploys `version` under load and waits for the last object to have it. */
async function replace(context: Context, load: Load, version: string, update: CodeUpdate, timeoutMs: number) {
  const from = load.samples.length
  await context.deployProbe(version, update)
  await load.until((newest) => newest.worker === version && newest.version === version, timeoutMs)
  return replacementOf(load.samples.slice(from), version)
}

const CHANGE = [{ file: 'docs/operations/versions.md', text: 'wrangler versions deploy' }]

export const replacement = experiment<Seen>({
  number: 5,
  title: 'Deployments under load: how long do old objects live?',
  budgetMs: 720_000,
  async run(context) {
    const load = startLoad(context)
    try {
      await load.until(() => true, START_TIMEOUT_MS)
      const immediate = await replace(context, load, '2', { mode: 'immediate' }, DEPLOYED_TIMEOUT_MS)
      const deferral: CodeUpdate = { mode: 'deferred', max_delay: DEFERRED_MAX_S }
      const deferred = await replace(context, load, '3', deferral, DEFERRED_MAX_S * 1000 + DEPLOYED_TIMEOUT_MS)
      const from = load.samples.length
      const { connected } = await context.tail(TAIL_MS)
      const samples = load.samples.slice(from)
      return { immediate, deferred, tail: { connected, restarts: restartsOf(samples), failures: failuresOf(samples) } }
    } finally {
      await load.stop()
    }
  },
  checks: [
    {
      name: 'immediate code update',
      expected: 'old objects gone within 10 s, less than 1 s of failures',
      meaning:
        'A deployment costs busy tenants more than the promised second, or gates keep old code longer than isolates expect. Deploy at quiet times, and say so where the promise is made.',
      change: [...CHANGE, { file: 'src/gate/README.md', text: 'restart' }],
      judge: ({ immediate }) => judgeReplacement(immediate, IMMEDIATE_MAX_MS),
    },
    {
      name: 'deferred code update',
      expected: 'old objects gone within 310 s, less than 1 s of failures',
      meaning:
        'Roster deploys immediately, so only a rollback or `wrangler versions deploy` without the option shows this. Correct the time in the pages.',
      change: CHANGE,
      judge: ({ deferred }) => judgeReplacement(deferred, DEFERRED_MAX_S * 1000 + IMMEDIATE_MAX_MS),
    },
    {
      name: 'wrangler tail',
      expected: 'may restart objects, less than 1 s of failures',
      meaning: 'Looking at logs hurts callers. Say on the page that npm run tail is not for the middle of an incident.',
      change: [{ file: 'docs/observability.md', text: 'npm run tail' }],
      judge: judgeTail,
    },
  ],
})
