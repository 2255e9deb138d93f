/**
 * Explains refusals of Cloudflare, and what the operator does about them. Pure: takes a failure, returns the next step.
 * The codes and texts are those of the API in autumn 2026, as wrangler 4.156 and public reports have them.
 */
import { WRONG_USAGE } from '../command-line.ts'

/** Ends a command with a message for the operator, who has to do something first. */
export class Stop extends Error {}

/** The command line is wrong. Nothing was done. */
export class WrongUsage extends Stop {
  exitCode = WRONG_USAGE
}

/** The permission of an API token that a call needs, by the beginning of its path below the account. */
const PERMISSIONS = [
  [/^\/d1\//, 'Account › D1 › Edit'],
  [/^\/storage\/kv\//, 'Account › Workers KV Storage › Edit'],
  [/^\/queues/, 'Account › Queues › Edit'],
  [/^\/r2\//, 'Account › Workers R2 Storage › Edit'],
  [/^\/zones\//, 'Zone › Workers Routes › Edit, for the zone of the domain'],
  [/^\/(workers|workflows)\b/, 'Account › Workers Scripts › Edit'],
  [/^\/(accounts|memberships)$/, 'Account › Account Settings › Read'],
  [/^\/user\b/, 'User › User Details › Read'],
]
const ALL_PERMISSIONS =
  'Workers Scripts, D1, Workers KV Storage, Workers R2 Storage and Queues (Edit), Account Settings (Read)'

/** The token itself is malformed, unknown or expired. 9109 stands for that and for a resource it may not touch. */
const BAD_TOKEN_CODES = [1000, 1001, 6003, 6111, 9106, 9107]
const NOT_ALLOWED_CODES = [10000, 9109]
/** The text of each names the limit of the Workers Free plan. */
const PLAN_CODES = [7406, 10015, 10072, 10084, 10097, 100129, 100328]

/**
 * Returns what a failure means and what to do next, or null for an unknown failure. A failure is `{code, status, text,
 * resource}`: the error code, the HTTP status (null when wrangler did the call), the message, and the path below the account. The context is `{account,
 * worker, byToken}`; `byToken`: CLOUDFLARE_API_TOKEN is set.
 */
export function explain(failure, context) {
  const { code, status, text, resource } = failure
  if (code === 10089) return analyticsIsOff(context)
  if (PLAN_CODES.includes(code)) return planIsTooSmall(code, context)
  if (code === 10063) return noSubdomain(context)
  if (code === 10031) return 'That workers.dev name is taken. Choose another with --subdomain.'
  if (code === 10034 || /email_verification_required/.test(text)) {
    return 'Confirm the e-mail address of the account first: https://dash.cloudflare.com/profile'
  }
  if (BAD_TOKEN_CODES.includes(code) || (code === 9109 && /invalid access token/i.test(text))) return badToken(context)
  if (NOT_ALLOWED_CODES.includes(code) || status === 401 || status === 403) return notAllowed(resource, context)
  if (code === 7500 || code === 7009 || /long-running (import|export)/.test(text)) return explainD1(text, code)
  return null
}

/** Returns the next step for an error text of D1. Its code 7500 stands for all of these. */
export function explainD1(text, code = null) {
  if (/long-running (import|export)/.test(text)) {
    return 'Another import or export of this database is running, and D1 answers no queries meanwhile. Run the same command again in a minute.'
  }
  if (code === 7009 || /internal error|Upstream service unavailable|\[code: 7009\]/.test(text)) {
    return 'This is a failure of D1, not of the SQL. Run the same command again in some minutes. If it stays: https://www.cloudflarestatus.com, and a ticket with the reference above.'
  }
  if (/already exists|duplicate column name/.test(text)) {
    return 'The database has something the migration would make: somebody changed it by hand, or it belongs to another project. Look with `npx wrangler d1 execute <database> --remote --command "SELECT type, name FROM sqlite_master"`.'
  }
  if (/too many arguments on function/.test(text)) {
    return 'D1 allows 32 arguments in a function call, SQLite on this machine more. Nest json_object calls.'
  }
  if (/incomplete input|near "|unrecognized token|syntax error/.test(text)) {
    return 'D1 has cut the file at the wrong place, or the SQL is wrong. D1 mistakes the END of a CASE inside a trigger for the end of the trigger, and quotes and semicolons in comments for those of a statement: use iif(), and write comments without them.'
  }
  return 'The database refused the SQL, see its message above.'
}

/** Returns the failures of an error of the REST API. */
export function failuresOf({ errors, status, resource }) {
  if (errors.length === 0) return [{ code: null, status, text: '', resource }]
  return errors.map(({ code, message }) => ({ code, status, text: message, resource }))
}

/**
 * Returns the failure in wrangler's output. `code` is the one that wrangler reports beside the text, or null.
 * @param {string} output
 * @param {number | null} code
 */
export function failureIn(output, code = null) {
  const [, found] = /\[code: (\d+)\]/.exec(output) ?? []
  const [, resource = ''] = /\((?:\/accounts\/[0-9a-f]+)?(\/[^)\s]*)\) failed/.exec(output) ?? []
  return { code: code ?? (found ? Number(found) : null), status: null, text: output, resource }
}

function analyticsIsOff({ account }) {
  return `Analytics Engine is not switched on in this account. One of two:
  1. Open https://dash.cloudflare.com/${account}/workers/analytics-engine once, switch it on, and run the same command again.
     If it was on before, look whether the account is still on Workers Paid.
  2. Go on without counts: the same command with --without-analytics. Everything else works; docs/observability.md has the counts.`
}

function planIsTooSmall(code, { account }) {
  const upgrade = `Roster is made for Workers Paid: https://dash.cloudflare.com/${account}/workers/plans. Then run the same command again.`
  if (code === 7406) return `The account has as many D1 databases as its plan allows (Free: 10). ${upgrade}`
  if (code === 10072) {
    return `The account has as many cron triggers as its plan allows (Free: 5 in all Workers together). The version is deployed, its cron is not: webhooks, onboardings and retention wait for it. ${upgrade}`
  }
  if (code === 100328) return `The Free plan takes no \`limits\` in wrangler.toml. ${upgrade}`
  return `The account's plan does not include this. ${upgrade}`
}

/** Returns what to do about an account without a workers.dev subdomain. */
export function noSubdomain({ account, worker }) {
  return `The account has no workers.dev subdomain yet. Run the same command with --subdomain <name>: Roster is then served on https://${worker}.<name>.workers.dev. Or open https://dash.cloudflare.com/${account}/workers-and-pages once, which makes one, and run the same command again.`
}

function badToken({ byToken }) {
  return byToken
    ? 'CLOUDFLARE_API_TOKEN is not a valid token, or has expired. Make one: https://dash.cloudflare.com/profile/api-tokens'
    : 'The login is not valid any more. Run `npx wrangler login` again.'
}

function notAllowed(resource, { byToken }) {
  const [, permission] = PERMISSIONS.find(([path]) => path.test(resource)) ?? []
  if (!byToken) {
    return `The login may not do this${permission ? ` (${permission})` : ''}. Run \`npx wrangler login\` again, and look whether your role in the account allows it.`
  }
  const missing = permission ? `misses the permission ${permission}` : 'may not do this'
  return `The API token ${missing}, or is for another account. Edit it: https://dash.cloudflare.com/profile/api-tokens. In all it needs: ${ALL_PERMISSIONS}. Then run the same command again.`
}
