/** Reads the command lines of `npm run backup`, `restore` and `restored`, and finds the databases that they name. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { parse as parseToml } from 'smol-toml'
import { CloudflareApi, CloudflareError } from '../cloudflare-api.mjs'
import { optionProblem } from '../command-line.ts'
import { accountOf, tokenOf } from '../deploy/account.mjs'
import { databasesThere } from '../deploy/existing.mjs'
import { explain, failuresOf, WrongUsage } from '../deploy/refusals.mjs'
import { configOf } from '../environment.mjs'
import { localDatabaseCount } from '../local-state.ts'
import { hasLocalState } from './database.mjs'

const WHERE_OPTIONS = { env: { type: 'string' }, local: { type: 'boolean', default: false }, help: { type: 'boolean' } }

/** The context of `explain`. */
const context = { account: '<account>', worker: 'roster', byToken: Boolean(process.env.CLOUDFLARE_API_TOKEN) }

/** The lines of a usage that every command has. */
export const WHERE_USAGE = `  --env <name>   the databases of another environment, such as staging; else of production
  --local        the databases of \`npm start\`, which must not run meanwhile, in PERSIST_TO (.roster/state)`

/**
 * Returns `{values, positionals}`. Throws `WrongUsage` for a wrong command line; prints the usage and ends the process for
 * `--help`.
 * @param {string} usage
 * @param {Record<string, {type: 'string' | 'boolean', default?: boolean}>} own
 */
export function readOptions(usage, own = {}, args = process.argv.slice(2)) {
  const options = { ...WHERE_OPTIONS, ...own }
  let parsed
  try {
    parsed = parseArgs({ args, allowPositionals: true, options })
  } catch (error) {
    throw new WrongUsage(`${optionProblem(error, options)}\n\n${usage}`)
  }
  if (parsed.values.help) {
    console.log(usage)
    process.exit(0)
  }
  return parsed
}

/** Returns the environment's configuration, with so many databases. */
export function configurationOf(environment, databases = 1) {
  return configOf(wranglerToml(), environment ?? null, process.cwd(), databases)
}

/**
 * Returns the databases that there are, `{number, jurisdiction}`, in the account of the API, or in the local state if that is null. A
 * deleted one is missing between them.
 */
export async function databasesIn(api, environment) {
  if (api !== null) return databasesThere(api, wranglerToml(), environment ?? null)
  const databases = hasLocalState(stateFolder()) ? localDatabaseCount(stateFolder()) : 0
  return Array.from({ length: databases }, (_, number) => ({ number, jurisdiction: null }))
}

function wranglerToml() {
  return parseToml(readFileSync('wrangler.toml', 'utf8'))
}

/** Returns the API of the account that the environment is in. */
export async function apiOf(config) {
  const api = new CloudflareApi(await tokenOf())
  api.account = await accountOf(api, config)
  Object.assign(context, { account: api.account, worker: config.name })
  return api
}

/** Returns the folder of the local state. */
export function stateFolder() {
  return path.resolve(process.env.PERSIST_TO ?? '.roster/state')
}

/** Runs a command. Prints an error with the next step, and sets the exit code: 2 for a wrong command line, else 1. */
export async function run(main) {
  try {
    await main()
  } catch (error) {
    console.error(`\n${error.message}`)
    if (error instanceof CloudflareError) {
      for (const text of failuresOf(error).map((failure) => explain(failure, context))) if (text) console.error(text)
    }
    process.exitCode = error.exitCode ?? 1
  }
}
