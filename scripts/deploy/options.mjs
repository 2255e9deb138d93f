/** Reads the command line of `npm run deploy`. */
import { parseArgs } from 'node:util'
import { optionProblem } from '../command-line.ts'
import { Stop, WrongUsage } from './refusals.mjs'

/** The jurisdictions that D1, Durable Objects, Queues and Workflows all have. */
export const JURISDICTIONS = ['eu', 'us', 'fedramp']

const USAGE = `npm run deploy -- [options]

  --env <name>         an environment with everything of its own, such as staging; default: production
  --upload             make a version that serves no requests yet: \`wrangler versions deploy\` gives it a share
  --dry-run            print what exists and what would be created, and change nothing
  --location <region>  where the primary of a new D1 is: wnam, enam, weur, eeur, apac, oc; default: near you
  --databases <number> spread tenants over so many D1 databases; default: those that are there; never fewer
  --jurisdiction <name> where all data stays: ${JURISDICTIONS.join(', ')}; only when it is first deployed; default: no bound
  --subdomain <name>   the workers.dev subdomain of an account that has none yet
  --without-analytics  leave Analytics Engine out: Roster runs, and nothing is counted
  --url <url>          where Roster is served, if not on workers.dev
  --owner <email>      the first operator, whom the first deployment gives a sign-in link; default: whose token this is

npm run deploy -- --check [options]

  finds out whether Cloudflare behaves as Roster expects, in an environment that it makes for that and removes afterwards
  --only <numbers>     only these experiments, such as 4,7
  --json               the result as JSON
  --remove-leftovers   remove the leftovers of earlier checks without asking`

/** The options of `--check` alone, and all that may go with it. */
const OF_CHECK = ['only', 'json', 'remove-leftovers']
const WITH_CHECK = ['check', 'url', ...OF_CHECK]

/** The regions of a D1 primary that an account may ask for. */
export const LOCATIONS = ['wnam', 'enam', 'weur', 'eeur', 'apac', 'oc']

/** A deployment calls the API some four times for each, of 1,200 calls in five minutes. */
const DATABASES_MAX = 100

/**
 * Returns the options, with `environment` null for production. Throws `Stop` for a wrong one; prints the usage and ends
 * the process for `--help`.
 */
export function readOptions(args = process.argv.slice(2)) {
  const string = { type: 'string' }
  const flag = { type: 'boolean', default: false }
  const options = {
    env: string,
    upload: flag,
    'dry-run': flag,
    location: string,
    databases: string,
    jurisdiction: string,
    subdomain: string,
    'without-analytics': flag,
    url: string,
    owner: string,
    check: flag,
    only: string,
    json: flag,
    'remove-leftovers': flag,
    help: flag,
  }
  let values
  try {
    values = parseArgs({ args, options }).values
  } catch (error) {
    throw new WrongUsage(`${optionProblem(error, options)}\n\n${USAGE}`)
  }
  if (values.help) {
    console.log(USAGE)
    process.exit(0)
  }
  if (values.env !== undefined && !/^[a-z][a-z0-9-]{0,19}$/.test(values.env)) {
    throw new Stop(`--env ${values.env}: use up to 20 small letters, digits and hyphens, such as staging`)
  }
  if (values.location !== undefined && !LOCATIONS.includes(values.location)) {
    throw new Stop(`--location ${values.location}: use one of ${LOCATIONS.join(', ')}`)
  }
  if (values.jurisdiction !== undefined && !JURISDICTIONS.includes(values.jurisdiction)) {
    throw new Stop(`--jurisdiction ${values.jurisdiction}: use one of ${JURISDICTIONS.join(', ')}`)
  }
  const databases = values.databases === undefined ? null : Number(values.databases)
  if (databases !== null && !(Number.isInteger(databases) && databases >= 1 && databases <= DATABASES_MAX)) {
    throw new Stop(`--databases ${values.databases}: use a number from 1 to ${DATABASES_MAX}`)
  }
  const given = Object.keys(values).filter((name) => values[name] !== false)
  const stray = given.filter((name) => (values.check ? !WITH_CHECK.includes(name) : OF_CHECK.includes(name)))
  if (stray.length > 0) {
    throw new Stop(`--${stray[0]} ${values.check ? 'does not go with --check' : 'needs --check'}. Nothing was done.`)
  }
  // Wrangler reads the secrets from /dev/stdin, so that they are in no file and on no command line.
  if (process.platform === 'win32') throw new Stop('Deploy from Linux, macOS or WSL: this needs /dev/stdin')
  return {
    environment: values.env ?? null,
    upload: values.upload,
    dryRun: values['dry-run'],
    location: values.location ?? null,
    databases,
    jurisdiction: values.jurisdiction ?? null,
    subdomain: values.subdomain ?? null,
    withoutAnalytics: values['without-analytics'],
    url: values.url ?? null,
    owner: values.owner ?? null,
    check: values.check,
    only: values.only?.split(',').map(Number) ?? null,
    json: values.json,
    removeLeftovers: values['remove-leftovers'],
  }
}
