/**
 * `npm run deploy -- --check`: finds out whether Cloudflare behaves as Roster expects, in an environment that it makes
 * for that and removes afterwards. Prints its progress on stderr and its result on stdout.
 */
import { randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline/promises'
import { Stop } from '../deploy/refusals.mjs'
import { contextsOf, probeReady } from './context.mjs'
import { foundOf, newRunName, removeAllOf } from './environment.mjs'
import { EXPERIMENTS } from './experiments/index.ts'
import { EXIT, exitCodeOf, report, reportJson } from './report.ts'
import { runExperiments } from './run.ts'

const say = (line) => console.error(line)

/**
 * Runs the experiments of `options.only`, or all. Returns the exit code: 0 all as expected, 1 something differs, 2 a
 * check is unclear. `base` is Roster's configuration; `explaining` is the context of `explain` of refusals.mjs. Throws
 * `Stop` if interrupted.
 */
export async function check({ api, base, options, explaining }) {
  // Code that is shared with a deployment prints its progress on stdout, which is for the result here.
  console.log = say
  const experiments = chosen(options.only)
  const subdomain = await api.subdomain()
  if (!subdomain && !options.url) {
    throw new Stop(
      'The account has no workers.dev subdomain yet: `npm run deploy -- --dry-run` shows how to choose one.',
    )
  }
  await offerToRemoveLeftovers(api, options)
  const run = newRunName()
  const url = options.url ?? `https://${run}.${subdomain}.workers.dev`
  printPlan(experiments, run, api.account)
  const interrupt = interruptOf(run)
  const startedAtMs = Date.now()
  const running = new Set()
  let rows = null
  let stopped = null
  try {
    rows = await inEnvironment({ api, base, run, url, explaining, running, signal: interrupt.signal, experiments })
  } catch (error) {
    stopped = error
  }
  await Promise.allSettled(running)
  say(`\nRemoving what ${run} created …`)
  const left = await removeAllOf(api, run, say)
  interrupt.end()
  for (const { kind, name, error } of left) say(`  NOT removed ${kind} ${name}: ${error.message}`)
  if (left.length > 0) say('The next `npm run deploy -- --check` offers to remove it.')
  if (stopped) throw stopped
  say(`Done after ${Math.round((Date.now() - startedAtMs) / 1000)} s.\n`)
  process.stdout.write(`${options.json ? reportJson(rows) : report(rows)}\n`)
  return left.length > 0 ? EXIT.couldNotRun : exitCodeOf(rows)
}

async function inEnvironment({ api, base, run, url, explaining, running, signal, experiments }) {
  const token = randomBytes(24).toString('hex')
  say(`Creating the D1 database ${run} …`)
  const { uuid: databaseId } = await api.createDatabase(run)
  // Roster's own database has replicas too. Without them, bookmarks would have no effect.
  await api.replicate(databaseId)
  const contextFor = contextsOf({ api, base, run, token, url, databaseId, explaining, running })
  signal.throwIfAborted()
  say(`Deploying the probe Worker ${run} …`)
  await contextFor(signal).deployProbe('1', { mode: 'immediate' })
  say(`Waiting for ${url}; a new workers.dev name takes minutes …`)
  await probeReady({ url, token, signal })
  return runExperiments(experiments, contextFor, { interrupted: signal, say })
}

function chosen(only) {
  if (only === null) return EXPERIMENTS
  const unknown = only.filter((number) => !EXPERIMENTS.some((experiment) => experiment.number === number))
  if (unknown.length > 0) {
    const list = EXPERIMENTS.map(({ number, title }) => `  ${number}  ${title}`).join('\n')
    throw new Stop(`--only ${only}: there is no experiment ${unknown}. Choose among:\n${list}`)
  }
  return EXPERIMENTS.filter(({ number }) => only.includes(number))
}

function printPlan(experiments, run, account) {
  const has = (number) => experiments.some((experiment) => experiment.number === number)
  const minutes = Math.ceil(experiments.reduce((sum, { budgetMs }) => sum + budgetMs, 0) / 60_000)
  say(`
Checks how Cloudflare behaves, in an environment of its own: nothing of a deployed Roster is read or changed.

  account    ${account}
  creates    up to two Workers and six D1 databases, all named ${run}…
  removes    all of them at the end, also when interrupted (Ctrl-C)
  costs      less than one US cent beyond what Workers Paid includes
  uploads    ${has(6) ? 'about 200 MB from here (experiment 6)' : 'little'}
  calls      ${has(9) ? 'sslip.io, scanme.nmap.org and badssl.com once each (experiment 9)' : 'nobody else'}
  takes      ${has(5) ? 'about 12 minutes, five of them for experiment 5' : 'some minutes'}; at most ${minutes}
`)
}

/** Returns a signal that the first Ctrl-C aborts. The second ends the process without removing anything. */
function interruptOf(run) {
  const controller = new AbortController()
  const onSignal = (signal) => {
    if (controller.signal.aborted) {
      say(`\nLeft behind: everything named ${run}… The next \`npm run deploy -- --check\` offers to remove it.`)
      process.exit(EXIT.couldNotRun)
    }
    say('\nInterrupted. Removing what was created; once more ends this at once.')
    controller.abort(new Stop(`Interrupted by ${signal}.`))
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, onSignal)
  return {
    signal: controller.signal,
    end: () => {
      for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, onSignal)
    },
  }
}

/**
 * Offers to remove the resources of a killed run. A run that is still going on looks the same, so nothing is removed
 * unasked.
 */
async function offerToRemoveLeftovers(api, options) {
  const found = await foundOf(api)
  if (found.length === 0) return
  say('An earlier check left this behind, or one is still running elsewhere:\n')
  for (const { kind, name, createdAt } of found)
    say(`  ${kind.padEnd(12)} ${name}  created ${createdAt ?? 'at an unknown time'}`)
  if (!options.removeLeftovers && !(await agreed('\nRemove it? [y/N] '))) {
    return say('\nIt is left where it is. --remove-leftovers removes it.')
  }
  const left = await removeAllOf(api, null, say)
  for (const { kind, name, error } of left) say(`  NOT removed ${kind} ${name}: ${error.message}`)
}

async function agreed(question) {
  if (!process.stdin.isTTY) return false
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await terminal.question(question)
  terminal.close()
  return /^y(es)?$/i.test(answer.trim())
}
