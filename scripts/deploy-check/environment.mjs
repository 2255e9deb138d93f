/**
 * The environment of one run of `npm run deploy -- --check`. Everything that it creates has the name of the run, so
 * that it can be found and removed by that name alone, also by a later run.
 */
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const PREFIX = 'roster-check-'
/** Matches the name of a run and of everything that belongs to it. */
const OF_A_RUN = /^roster-check-[0-9a-f]{8}(-[a-z]+)?$/
const PROBE_WORKER = path.resolve('scripts/deploy-check/probe-worker/index.ts')
const COUNTING_WORKER = path.resolve('scripts/deploy-check/probe-worker/counting.ts')
/** A deployment that was interrupted may arrive late, and D1 refuses while it is busy. */
const REMOVAL_ATTEMPTS = 4
const REMOVAL_PAUSE_MS = 3_000

/** Returns a new name for a run. */
export function newRunName() {
  return `${PREFIX}${randomBytes(4).toString('hex')}`
}

/** Returns wrangler's configuration of the probe Worker. `base` is that of Roster: both run on the same runtime. */
export function probeConfig(base, { run, databaseId, token, targets, version, codeUpdate }) {
  return {
    ...runtimeOf(base),
    name: run,
    main: PROBE_WORKER,
    workers_dev: true,
    d1_databases: [{ binding: 'DB', database_name: run, database_id: databaseId }],
    durable_objects: {
      bindings: [{ name: 'OBJECTS', class_name: 'ProbeObject' }],
      code_update_strategy: codeUpdate,
    },
    migrations: [{ tag: 'v1', new_sqlite_classes: ['ProbeObject'] }],
    vars: { TOKEN: token, VERSION: version, TARGETS: JSON.stringify(targets) },
  }
}

/** Returns wrangler's configuration of a Worker that counts in Analytics Engine and has no URL. */
export function countingConfig(base, run) {
  const dataset = run.replaceAll('-', '_')
  return {
    ...runtimeOf(base),
    name: `${run}-counting`,
    main: COUNTING_WORKER,
    workers_dev: false,
    analytics_engine_datasets: [{ binding: 'ANALYTICS', dataset }],
  }
}

function runtimeOf({ compatibility_date, compatibility_flags }) {
  return { compatibility_date, compatibility_flags }
}

/**
 * Returns the resources of one run, or of all runs, in the account: `{kind, name, createdAt, remove}`, Workers first.
 */
export async function foundOf(api, run = null) {
  const isOfRun = (name) => (run === null ? OF_A_RUN.test(name) : name === run || name.startsWith(`${run}-`))
  const workers = (await api.workers()).filter(({ id }) => isOfRun(id))
  const databases = (await api.databases()).filter(({ name }) => isOfRun(name))
  return [
    ...workers.map(({ id, created_on: createdAt }) => ({
      kind: 'Worker',
      name: id,
      createdAt,
      remove: () => api.deleteWorker(id),
    })),
    ...databases.map(({ uuid, name, created_at: createdAt }) => ({
      kind: 'D1 database',
      name,
      createdAt,
      remove: () => api.deleteDatabase(uuid),
    })),
  ]
}

/**
 * Removes the resources of a run, or of all runs, from the account. Returns those that could not be removed, each with
 * its `error`.
 */
export async function removeAllOf(api, run, say) {
  for (let attempt = 1; ; attempt++) {
    const failed = await removedOf(api, run, say)
    if (failed.length === 0 || attempt === REMOVAL_ATTEMPTS) return failed
    await sleep(REMOVAL_PAUSE_MS)
  }
}

async function removedOf(api, run, say) {
  const failed = []
  let all = []
  try {
    all = await foundOf(api, run)
  } catch (error) {
    failed.push({ kind: 'anything named', name: run ?? `${PREFIX}…`, error })
  }
  for (const found of all) {
    try {
      await found.remove()
      say(`  removed   ${found.kind} ${found.name}`)
    } catch (error) {
      failed.push({ ...found, error })
    }
  }
  return failed
}
