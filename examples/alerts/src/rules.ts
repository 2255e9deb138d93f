/**
 * The log lines of Roster that need a person, and what to do about each. The table in docs/observability.md is written
 * from this one (`npm run docs`), and a test compares it with every line that the sources write.
 */

/** `first`: posted at the first line. `lasting`: posted when lines keep coming for three minutes. */
export type When = 'first' | 'lasting'

export interface Rule {
  level: 'error' | 'warn'
  when: When
  means: string
  todo: string
}

const rule = (level: Rule['level'], when: When, means: string, todo: string): Rule => ({ level, when, means, todo })

export const RULES: Readonly<Record<string, Rule>> = {
  failed: rule('error', 'first', 'a bug in Roster; the caller got 500', 'report it, with the error and the request id'),
  exception: rule('error', 'first', 'an invocation ended with an exception that nothing caught', 'report it'),
  ended: rule(
    'error',
    'first',
    'Cloudflare ended an invocation, for the reason beside it: `exceededCpu`, `exceededMemory`',
    'find the request by its time; a large import or export is the usual cause',
  ),
  statement_failed: rule(
    'error',
    'first',
    'D1 refused a statement by its text, a limit or a rule without a name; the caller got 500',
    'look whether a migration is missing; else report it',
  ),
  database_full: rule(
    'error',
    'first',
    'a database has no room: every change of its tenants is 507, reads go on',
    'make room: see "When the database is full" in docs/operations/incidents.md',
  ),
  database_nearly_full: rule(
    'warn',
    'first',
    'the database with this number holds 80 % of its 10 GB or more',
    'make room before it is full: docs/operations/growth.md',
  ),
  database_unavailable: rule(
    'warn',
    'lasting',
    'the database with this number did not answer as the one for a new tenant was chosen: it went to another',
    'wait; if it goes on, see "When something is away" in docs/operations/incidents.md',
  ),
  delivery_parked: rule(
    'error',
    'first',
    'an event could not be sent at all and was given up',
    'fix the cause, then send it again with `redeliver`',
  ),
  secret_unreadable: rule(
    'error',
    'first',
    'a webhook was not sent: the signing secret that sealed its secret is not in `SIGNING_SECRETS`',
    'put the old one back behind the new one, or rotate the secret of the endpoint',
  ),
  sweep_missing: rule(
    'error',
    'first',
    'the cron has not run for ten minutes, though it is due each minute; the alerts Worker itself says this',
    'look at the cron trigger in the dashboard; deploy again',
  ),
  storage_failed: rule(
    'error',
    'lasting',
    'D1 or KV did not answer; where it is needed the caller got 503',
    'wait; if the error says `overloaded`, look for a tenant that sorts or filters large lists',
  ),
  refused: rule(
    'error',
    'lasting',
    'requests are answered with 5xx; another line beside it says why, unless a gate is away',
    'do what that line says; without one, wait for the gate',
  ),
  not_ready: rule(
    'error',
    'lasting',
    '`/readyz` was requested, and D1, KV or a gate did not answer in time',
    'see "When something is away" in docs/operations/incidents.md',
  ),
  admin_guard_failed: rule(
    'error',
    'lasting',
    'wrong admin keys are counted in each isolate alone',
    'nothing; right keys are let in all the same',
  ),
  access_keys_failed: rule(
    'error',
    'lasting',
    'Cloudflare Access did not give its public keys; operators who come through it get 503 or, while older keys are known, go on',
    'look at ACCESS_TEAM_DOMAIN; keys of operators and sessions are accepted all the same',
  ),
  operator_seen_failed: rule(
    'error',
    'lasting',
    'the minute of a request of an operator was not written',
    'nothing: the next request writes it',
  ),
  error_counts_not_stored: rule(
    'warn',
    'lasting',
    'D1 did not take the counts of errors that `GET /admin/health` shows',
    'nothing: the isolate tries again; other lines say why D1 refuses',
  ),
  policy_not_applied: rule(
    'error',
    'lasting',
    'an admin change is in D1 and not yet in force; its caller got 503',
    'nothing if `policy_completed` follows; else the gate of that tenant is away',
  ),
  policy_not_marked: rule(
    'warn',
    'lasting',
    'a change is in force, and D1 does not know',
    'nothing: the sweep repeats it',
  ),
  sweep_failed: rule(
    'error',
    'lasting',
    'a duty of the cron was not done',
    'read its error; meanwhile old rows are kept and overdue work waits',
  ),
  archive_failed: rule(
    'error',
    'lasting',
    'R2 did not answer: old events stay in D1, and reads of those in the archive are 503',
    'wait; if it goes on, look at the bucket `roster-archive` and at `archive` of `GET /admin/health`',
  ),
  archive_object_missing: rule(
    'error',
    'first',
    'an object of the archive is gone, and reads that need it are 503',
    'nobody but Roster may delete in the bucket: look who did, and whether it can be brought back',
  ),
  archive_search_ended: rule(
    'warn',
    'lasting',
    'a read of what a customer was opened 24 objects of the archive without finding it; the caller got 503',
    'report it: filters of objects fail too often',
  ),
  tenant_not_deleted: rule(
    'error',
    'lasting',
    'a deleted tenant still has rows, values in KV or a gate with its keys',
    'read its error; the cron tries again each minute, and nobody can reach what is left',
  ),
  erasure_not_swept: rule(
    'warn',
    'lasting',
    'values of an erased customer may still be in KV',
    'look at KV; the values expire by themselves after 7 days',
  ),
  kv_keys_not_noted: rule(
    'warn',
    'lasting',
    'the same for external ids: the sweep does not know their hashes',
    'nothing: they expire after 7 days, and name nothing that is there',
  ),
  not_enqueued: rule(
    'error',
    'lasting',
    'the queue did not take a message',
    'nothing: the sweep sends it within a minute; if it lasts, the queue is away',
  ),
  message_failed: rule(
    'error',
    'lasting',
    'a message of the queue could not be processed; it comes again three times, then the sweep sends it',
    'read its error',
  ),
  message_ignored: rule('warn', 'lasting', 'another version wrote a message', 'nothing while two versions serve'),
  webhook_endpoint_disabled: rule(
    'warn',
    'first',
    'an endpoint answered 410, or failed for five days',
    'tell the tenant; it gets an event as well',
  ),
  lookup_failed: rule(
    'warn',
    'lasting',
    'host names of URLs could not be looked up; the caller got 503',
    'nothing: `cloudflare-dns.com` is away',
  ),
  onboarding_not_started: rule(
    'error',
    'lasting',
    'the Workflow engine did not take a run',
    'nothing: it is tried again within minutes; its error says what the engine wants',
  ),
  onboarding_step_failed: rule(
    'error',
    'lasting',
    'a step failed for a reason inside Roster; it is tried again',
    'read its error',
  ),
  onboarding_failed: rule(
    'warn',
    'lasting',
    'onboardings end at a step',
    '`GET /v1/customers/{id}/onboarding` says why; the tenant gets an event',
  ),
  onboarding_not_looked_at: rule(
    'error',
    'lasting',
    'the engine did not say whether it still has a run',
    'nothing: Roster checks again in a day',
  ),
  onboarding_not_retried: rule(
    'error',
    'lasting',
    'the Workflow engine did not begin a run anew; the caller got 503 and may repeat',
    'nothing: the engine is away',
  ),
  signal_not_sent: rule(
    'error',
    'lasting',
    'a signal is stored, but the engine did not take it; the caller got 503 and may repeat',
    'nothing: the engine is away',
  ),
  analytics_failed: rule(
    'error',
    'lasting',
    'points were not written, and are lost',
    'look at the dataset in wrangler.toml; nothing else is affected',
  ),
}

/** For a line that is in no table: a newer Roster writes it, or a library. */
const UNKNOWN: Rule = rule(
  'error',
  'first',
  'no rule knows this line',
  'see docs/observability.md of the deployed version',
)

/** Returns null for a line that is no alert: any line of level `info`, or written by `console.log`. */
export function ruleOf({ event, level }: { event: string; level: string }): Rule | null {
  if (level !== 'error' && level !== 'warn') return null
  return (Object.hasOwn(RULES, event) ? RULES[event] : undefined) ?? UNKNOWN
}
