/**
 * The admin API in a terminal, for `npm run tenant` and `npm run operator`: parses the command line, sends the requests and prints the
 * result. Exit code: 0 done, 1 refused, 2 wrong command line.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { plainText } from '../src/shared/shown-text.ts'
import { nearestHint } from '../src/validation/nearest.ts'
import { DEFAULT_URL, keyProblem, optionProblem, rosterUrl, WRONG_USAGE } from './command-line.ts'

const GLOBAL_OPTIONS = {
  url: { type: 'string', help: `where Roster is served; default: ROSTER_URL, else ${DEFAULT_URL}` },
  'admin-key': {
    type: 'string',
    help: 'an admin key or the key of an operator; default: ROSTER_ADMIN_KEY, and for a local Roster .dev.vars',
  },
  reason: { type: 'string', help: 'why, for the audit log' },
  json: { type: 'boolean', help: 'print the response as JSON, for scripts' },
  help: { type: 'boolean', help: 'print this help' },
}

/** The command line is wrong. */
class UsageError extends Error {}

/**
 * Runs the command that the process was given. A program has its `name`, its `commands` and a `note` for its overview. A command has
 * `args`, `help`, `options`, `run(api, args, values)`, and `show` for its result.
 */
export async function runProgram(program) {
  try {
    await main(program, process.argv.slice(2))
  } catch (error) {
    console.error(error.message)
    process.exitCode = error instanceof UsageError ? WRONG_USAGE : 1
  }
}

async function main(program, words) {
  const { commands } = program
  const name = Object.keys(commands).find((known) => known === words.slice(0, known.split(' ').length).join(' '))
  if (name === undefined) {
    const wantsHelp = words.length === 0 || words[0] === '--help' || words[0] === 'help'
    // The error omits the arguments after the command, because one may be a key.
    const command = plainText(words.slice(0, words[0] === 'key' ? 2 : 1).join(' '))
    const near = nearestHint(command, Object.keys(commands))
    if (!wantsHelp) throw new UsageError(`There is no command "${command}"${near || '.'}\n\n${overview(program)}`)
    console.log(overview(program))
    return
  }
  const command = commands[name]
  const { values, positionals } = parsed(program, name, words.slice(name.split(' ').length))
  if (values.help) {
    console.log(helpOf(program, name))
    return
  }
  const required = command.args.filter((arg) => arg.startsWith('<'))
  if (positionals.length < required.length) {
    throw new UsageError(`${required[positionals.length]} is missing.\n\n${helpOf(program, name)}`)
  }
  if (positionals.length > command.args.length) {
    throw new UsageError(
      `"${plainText(positionals[command.args.length])}" is one word too many: quote what has spaces.\n\n${helpOf(program, name)}`,
    )
  }
  const result = await command.run(apiOf(values), positionals, values)
  if (values.json) console.log(JSON.stringify(result ?? null, null, 2))
  else console.log(command.show(result, positionals))
}

function parsed(program, name, args) {
  const options = { ...GLOBAL_OPTIONS, ...program.commands[name].options }
  try {
    return parseArgs({ args, allowPositionals: true, options })
  } catch (error) {
    throw new UsageError(`${optionProblem(error, options)}\n\n${helpOf(program, name)}`)
  }
}

/** Returns the headers of a service token of Cloudflare Access, for a Roster whose admin API is behind it. */
function accessHeaders() {
  const { CF_ACCESS_CLIENT_ID: id, CF_ACCESS_CLIENT_SECRET: secret } = process.env
  return id && secret ? { 'cf-access-client-id': id, 'cf-access-client-secret': secret } : {}
}

/**
 * Returns a function `(method, path, body?, headers?)` that returns the JSON of a response. It throws an error with Roster's
 * message and fix.
 */
function apiOf(values) {
  const { url: base, problem } = rosterUrl(values.url, process.env)
  if (problem) throw new UsageError(problem)
  const headers = {
    'x-api-key': adminKeyOf(values, new URL(base)),
    ...accessHeaders(),
    ...(values.reason && { 'x-reason': reasonOf(values.reason) }),
  }
  return async (method, path, body, more = {}) => {
    const init = { method, headers: { ...headers, ...more, ...(body && { 'content-type': 'application/json' }) } }
    // A value that a header cannot carry throws here: no server is away.
    const request = new Request(new URL(path, base), { ...init, ...(body && { body: JSON.stringify(body) }) })
    const answer = await fetch(request).catch((error) => {
      const cause = plainText(error.cause?.code ?? error.cause?.message ?? error.message)
      throw new Error(`Nothing answers at ${base} (${cause}). Start it with \`npm start\`, or give --url.`)
    })
    const text = await answer.text()
    if (answer.ok) return text === '' ? null : JSON.parse(text)
    throw new Error(refusalOf(answer, text))
  }
}

/** Returns a reason as a header carries it: UTF-8, each byte as one character. */
function reasonOf(text) {
  if (plainText(text) !== text)
    throw new UsageError('--reason has a line break or another control character: write it on one line')
  return Buffer.from(text, 'utf8').toString('latin1')
}

function adminKeyOf(values, url) {
  const [given, what] =
    values['admin-key'] === undefined
      ? [process.env.ROSTER_ADMIN_KEY, 'ROSTER_ADMIN_KEY']
      : [values['admin-key'], '--admin-key']
  if (given) {
    const problem = keyProblem(given, what)
    if (problem) throw new UsageError(problem)
    return given
  }
  const isLocal = ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname)
  const ofMachine = isLocal ? /^ADMIN_KEYS\s*=\s*"?([^",\s]+)/m.exec(devVars())?.[1] : undefined
  if (ofMachine) return ofMachine
  throw new UsageError(
    'There is no admin key: set ROSTER_ADMIN_KEY, or give --admin-key. `npm run deploy` showed the first one.',
  )
}

function devVars() {
  try {
    return readFileSync('.dev.vars', 'utf8')
  } catch {
    return ''
  }
}

function refusalOf(answer, text) {
  let refusal
  try {
    refusal = JSON.parse(text)
  } catch {
    return `${plainText(answer.url)} answered ${answer.status}, but not as Roster does. Is --url right?`
  }
  if (answer.status === 401)
    return 'The admin key is not accepted: give another one with --admin-key or ROSTER_ADMIN_KEY.'
  const fields = (refusal.details?.errors ?? []).map(({ field, message, fix }) => `  ${field} ${message}: ${fix}`)
  return [refusal.message ?? `Roster answered ${answer.status}`, ...fields].map(plainText).join('\n')
}

function overview({ name: program, commands, note }) {
  const lines = Object.entries(commands).map(([name, { args, help }]) => [`${name} ${args.join(' ')}`, help])
  return `npm run ${program} -- <command> [options]

${aligned(lines)}

${note} Options of every command:

${optionsOf(GLOBAL_OPTIONS)}`
}

function helpOf({ name: program, commands }, name) {
  const { args, help, options } = commands[name]
  return `npm run ${program} -- ${name} ${args.join(' ')} [options]: ${help}\n\n${optionsOf({ ...options, ...GLOBAL_OPTIONS })}`
}

function optionsOf(options) {
  return aligned(
    Object.entries(options).map(([name, { type, help }]) => [`--${name}${type === 'string' ? ' …' : ''}`, help]),
  )
}

function aligned(lines) {
  const width = Math.max(...lines.map(([left]) => left.length))
  return lines.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n')
}
