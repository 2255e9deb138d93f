/**
 * Makes the context of the experiments: calls of the account, of wrangler and of the probe Worker, each for one run.
 */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { migrateAll, pendingMigrations } from '../deploy/migrations.mjs'
import { captured, inFolder } from '../deploy/wrangler.mjs'
import { countingConfig, probeConfig } from './environment.mjs'
import { TARGETS } from './experiments/hosts.ts'

/** DNS and the certificate of a new workers.dev name take minutes. */
const READY_TIMEOUT_MS = 240_000
const READY_POLL_MS = 2_000
const BODY_CHARACTERS = 200

/**
 * Returns a function that makes the context of an experiment from its signal. `base` is Roster's own configuration;
 * `url` is where the probe Worker answers; `databaseId` the D1 it is bound to. `running` holds the promises of all
 * calls that still change the account.
 */
export function contextsOf({ api, base, run, token, url, databaseId, explaining, running }) {
  return (signal) => {
    const tracked = (promise) => {
      running.add(promise)
      return promise.finally(() => running.delete(promise))
    }
    const deployed = (config) =>
      tracked(inFolder(config, (_, file) => captured(['deploy', '--config', file], api.account, { signal })))
    return {
      signal,
      account: api,
      databaseId,
      probeUrl: url,
      token,
      probe: (endpoint, body) => callProbe({ url, token, signal }, endpoint, body),
      sleep: (ms) => sleep(ms, undefined, { signal }),
      async createDatabase(suffix, where) {
        const name = `${run}-${suffix}`
        return { ...(await tracked(api.createDatabase(name, where))), name }
      },
      async applyMigrations(database) {
        const { migrations_dir } = base.d1_databases[0]
        const pending = await pendingMigrations(api, database, { migrations_dir })
        const bound = { binding: 'DB', database_name: database.name, database_id: database.uuid, migrations_dir }
        const config = { name: run, d1_databases: [bound] }
        const applying = inFolder(config, (folder, file) =>
          migrateAll(api, [database], [pending], { folder, file, context: explaining }),
        )
        await tracked(applying)
      },
      async deployProbe(version, codeUpdate) {
        const config = probeConfig(base, { run, databaseId, token, targets: TARGETS, version, codeUpdate })
        const { code, output } = await deployed(config)
        if (code !== 0) throw new Error(output.trim())
      },
      deployCounting: () => deployed(countingConfig(base, run)),
      async tail(durationMs) {
        const ended = new AbortController()
        let connected = false
        const onOutput = (output) => {
          if (connected || !/Connected to/.test(output)) return
          connected = true
          setTimeout(() => ended.abort(), durationMs)
        }
        const untilSignal = AbortSignal.any([signal, ended.signal])
        const args = ['tail', run, '--format', 'pretty']
        const { output } = await tracked(captured(args, api.account, { signal: untilSignal, onOutput }))
        return { connected, output }
      },
      migrations() {
        const { migrations_dir: folder } = base.d1_databases[0]
        const files = readdirSync(folder).filter((file) => file.endsWith('.sql'))
        return files.sort().map((file) => ({ file, sql: readFileSync(path.join(folder, file), 'utf8') }))
      },
    }
  }
}

/** Waits until the probe Worker answers. Throws with its last answer if it has not after four minutes. */
export async function probeReady({ url, token, signal }) {
  const deadlineMs = Date.now() + READY_TIMEOUT_MS
  for (;;) {
    try {
      return await callProbe({ url, token, signal }, 'version', {})
    } catch (error) {
      signal.throwIfAborted()
      const reason = error.cause?.message ?? error.message
      if (Date.now() > deadlineMs) throw new Error(`The probe Worker does not answer at ${url}: ${reason}`)
    }
    await sleep(READY_POLL_MS, undefined, { signal })
  }
}

async function callProbe({ url, token, signal }, endpoint, body) {
  const answer = await fetch(new URL(`/probe/${endpoint}`, url), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  })
  if (answer.ok) return answer.json()
  const text = (await answer.text()).slice(0, BODY_CHARACTERS)
  throw new Error(`the probe Worker answered ${answer.status} to ${endpoint}: ${text}`)
}
