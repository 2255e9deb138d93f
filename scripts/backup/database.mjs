/**
 * A D1 database as the commands of backup and restore use it: in an account, or that of `npm start`.
 *
 * `query(sql, params?)` returns the rows of one statement. `batch(statements)` runs several in one transaction, without
 * parameters, and returns the rows of each. `apply(file)` runs a file of SQL, triggers too, whole or not at all.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CloudflareError } from '../cloudflare-api.mjs'
import { Stop } from '../deploy/refusals.mjs'
import { captured } from '../deploy/wrangler.mjs'
import { bindingOf } from '../environment.mjs'
import { localConfigOf } from '../local-config.mjs'

/** The API takes 1,200 calls in five minutes. A database that is busy or restarts answers again within seconds. */
const ATTEMPTS = 8
const PAUSE_MS = 2_000

/** Opens a database of an account. `database` is `{uuid, name}`. */
export function remoteDatabase(api, database) {
  return {
    query: async (sql, params = []) => (await patiently(() => api.batch(database.uuid, sql, params)))[0],
    batch: (statements) => patiently(() => api.batch(database.uuid, statements.join(';\n'))),
    async apply(file) {
      const args = ['d1', 'execute', database.name, '--remote', '--yes', '--file', file]
      const { code, output } = await captured(args, api.account)
      if (code !== 0)
        throw new Stop(
          `${output}\nD1 did not take the file ${file}, see above. It is applied whole or not at all; where wrangler only lost sight of it, D1 goes on.`,
        )
    },
    close: async () => undefined,
  }
}

/**
 * Opens a database of `npm start` by its number. `npm start` must not be running: two processes would lock each other out.
 */
export async function localDatabase(number, stateFolder) {
  const binding = bindingOf(number)
  // It takes a second to load, which the help of a command does not need.
  const { convertV4MiniflareOptions, Miniflare } = await import('miniflare')
  const resourcePersistencePath = path.join(stateFolder, 'v3')
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: 'export default {}',
      resourcePersistencePath,
      // Wrangler names a local database that has no id after its binding.
      d1Databases: { [binding]: binding },
    }),
  )
  const opened = miniflare.getD1Database(binding)
  return {
    query: (sql, params = []) =>
      unlessLocked(async () => {
        const db = await opened
        const { results } = await db
          .prepare(sql)
          .bind(...params)
          .all()
        return results
      }),
    batch: (statements) =>
      unlessLocked(async () => {
        const db = await opened
        return (await db.batch(statements.map((sql) => db.prepare(sql)))).map(({ results }) => results)
      }),
    async apply(file) {
      const where = ['--local', '--persist-to', stateFolder, ...localConfigOf(number + 1)]
      const args = ['d1', 'execute', binding, ...where, '--yes', '--file', file]
      const { code, output } = await captured(args)
      if (code !== 0) throw new Stop(`${output}\nThe file ${file} was not applied, see above.`)
    },
    close: () => miniflare.dispose(),
  }
}

async function unlessLocked(use) {
  try {
    return await use()
  } catch (error) {
    if (!/database is locked|SQLITE_BUSY/.test(error.message)) throw error
    throw new Stop('The local database is in use. Stop `npm start` first.')
  }
}

/** Returns true if `npm start` has ever run on this folder. */
export function hasLocalState(stateFolder) {
  return existsSync(path.join(stateFolder, 'v3', 'd1'))
}

/** Repeats a call that failed for a passing reason. Every call here may be sent twice. */
async function patiently(call) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call()
    } catch (error) {
      const isRetryable =
        !(error instanceof CloudflareError) ||
        error.status === 429 ||
        error.status >= 500 ||
        /long-running (import|export)|overloaded|reset|timed out|connection lost/i.test(error.message)
      if (!isRetryable || attempt === ATTEMPTS) throw error
      await sleep(PAUSE_MS * attempt)
    }
  }
}
