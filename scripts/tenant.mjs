/**
 * `npm run tenant -- create "Acme" --tier scale` and the like: the operator's door for people who live in a terminal. Which
 * commands there are is in tenant-commands.mjs; here they are parsed, sent and shown. Exit code: 0 done, 1 refused, 2 not understood.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { COMMANDS, TenantError } from './tenant-commands.mjs'

const DEFAULT_URL = 'http://127.0.0.1:8787'
const GLOBAL_OPTIONS = {
  url: { type: 'string', help: `where Roster is served; else ${DEFAULT_URL}` },
  'admin-key': { type: 'string', help: 'an admin key; else ROSTER_ADMIN_KEY, else, of a local Roster, .dev.vars' },
  reason: { type: 'string', help: 'why, for the audit' },
  json: { type: 'boolean', help: 'the answer as it is, for scripts' },
  help: { type: 'boolean', help: 'this' },
}

/** Called in a way that can not be understood. */
class UsageError extends Error {}

try {
  await main(process.argv.slice(2))
} catch (error) {
  console.error(error.message)
  process.exitCode = error instanceof UsageError ? 2 : 1
}

async function main(words) {
  const name = Object.keys(COMMANDS).find((known) => known === words.slice(0, known.split(' ').length).join(' '))
  if (name === undefined) {
    const asked = words.length === 0 || words[0] === '--help' || words[0] === 'help'
    // Not what comes after: it may be a key.
    const said = words.slice(0, words[0] === 'key' ? 2 : 1).join(' ')
    if (!asked) throw new UsageError(`There is no command "${said}".\n\n${overview()}`)
    console.log(overview())
    return
  }
  const command = COMMANDS[name]
  const { values, positionals } = parsed(command, name, words.slice(name.split(' ').length))
  if (values.help) {
    console.log(helpOf(name))
    return
  }
  const required = command.args.filter((arg) => arg.startsWith('<'))
  if (positionals.length < required.length) {
    throw new UsageError(`${required[positionals.length]} is missing.\n\n${helpOf(name)}`)
  }
  if (positionals.length > command.args.length) {
    throw new UsageError(
      `"${positionals[command.args.length]}" is one word too many: quote what has spaces.\n\n${helpOf(name)}`,
    )
  }
  const result = await command.run(doorOf(values), positionals, values)
  if (values.json) console.log(JSON.stringify(result ?? null, null, 2))
  else console.log(command.show(result, positionals))
}

function parsed(command, name, args) {
  try {
    return parseArgs({ args, allowPositionals: true, options: { ...GLOBAL_OPTIONS, ...command.options } })
  } catch (error) {
    throw new UsageError(`${error.message}\n\n${helpOf(name)}`)
  }
}

/** One function for all requests: `(method, path, body?)` answers the JSON, or throws what Roster said and how to mend it. */
function doorOf(values) {
  const base = values.url ?? DEFAULT_URL
  if (!URL.canParse(base)) throw new UsageError(`--url ${base} is no URL: write it with its https://`)
  const headers = {
    'x-api-key': adminKeyOf(values, new URL(base)),
    ...(values.reason && { 'x-reason': values.reason }),
  }
  return async (method, path, body) => {
    const init = { method, headers: { ...headers, ...(body && { 'content-type': 'application/json' }) } }
    const answer = await fetch(new URL(path, base), { ...init, ...(body && { body: JSON.stringify(body) }) }).catch(
      () => {
        throw new TenantError(`Nothing answers at ${base}. Start it with \`npm start\`, or say --url.`)
      },
    )
    const text = await answer.text()
    if (answer.ok) return text === '' ? null : JSON.parse(text)
    throw new TenantError(refusalOf(answer, text))
  }
}

function adminKeyOf(values, url) {
  const given = values['admin-key'] ?? process.env.ROSTER_ADMIN_KEY
  if (given) return given
  const isLocal = ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname)
  const ofMachine = isLocal ? /^ADMIN_KEYS\s*=\s*"?([^",\s]+)/m.exec(devVars())?.[1] : undefined
  if (ofMachine) return ofMachine
  throw new UsageError(
    'There is no admin key: set ROSTER_ADMIN_KEY, or say --admin-key. `npm run deploy` showed the first one.',
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
    return `${answer.url} answered ${answer.status}, and not as Roster does. Is the --url right?`
  }
  if (answer.status === 401)
    return 'The admin key is not accepted: say another one with --admin-key or ROSTER_ADMIN_KEY.'
  const fields = (refusal.details?.errors ?? []).map(({ field, message, fix }) => `  ${field} ${message}: ${fix}`)
  return [refusal.message ?? `Roster answered ${answer.status}`, ...fields].join('\n')
}

function overview() {
  const lines = Object.entries(COMMANDS).map(([name, { args, help }]) => [`${name} ${args.join(' ')}`, help])
  return `npm run tenant -- <command> [options]

${aligned(lines)}

A <tenant> is its id, or its company name when only one has it. Options of every command:

${optionsOf(GLOBAL_OPTIONS)}`
}

function helpOf(name) {
  const { args, help, options } = COMMANDS[name]
  return `npm run tenant -- ${name} ${args.join(' ')} [options]: ${help}\n\n${optionsOf({ ...options, ...GLOBAL_OPTIONS })}`
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
