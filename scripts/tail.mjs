/**
 * `npm run tail`: prints the log of a deployment as it happens, one readable line each. `wrangler tail` fetches the invocations;
 * tail-lines.ts formats them.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { plainText } from '../src/shared/shown-text.ts'
import { optionProblem, WRONG_USAGE } from './command-line.ts'
import { Documents, linesOf } from './tail-lines.ts'

const USAGE = `npm run tail -- [options]

  --env <name>      an environment such as staging; default: production
  --tenant <id>     only the lines of this tenant; the beginning of its id is enough
  --errors          only lines of level error

Starting one may restart gates: busy tenants may wait for up to a second. Workers Logs has the same lines.`

const string = { type: 'string' }
const flag = { type: 'boolean', default: false }
const known = { env: string, tenant: string, errors: flag, help: flag }
let options
try {
  options = parseArgs({ options: known }).values
} catch (error) {
  console.error(`${optionProblem(error, known)}\n\n${USAGE}`)
  process.exit(WRONG_USAGE)
}
if (options.help) {
  console.log(USAGE)
  process.exit(0)
}

const child = spawn('wrangler', ['tail', ...workerOf(options.env), '--format', 'json'], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
const shown = { tenant: options.tenant?.toLowerCase(), errors: options.errors, colours: process.stdout.isTTY === true }
const documents = new Documents(
  (invocation) => {
    for (const line of linesOf(invocation, shown)) console.log(line)
  },
  (line) => console.error(plainText(line)),
)
child.stdout.setEncoding('utf8').on('data', (text) => documents.push(text))
child.on('error', (error) => {
  console.error(`wrangler could not be started: ${error.message}. Run it as \`npm run tail\``)
  process.exitCode = 2
})
child.on('close', (code) => {
  process.exitCode ||= code ?? 0
})
// Interrupted at the terminal, wrangler removes its tail and ends. This process then ends too.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))

/** Returns the name of an environment's Worker, as `npm run deploy` names it. Wrangler reads that of production from wrangler.toml. */
function workerOf(environment) {
  if (environment === undefined) return []
  const [, name] = /^name = "([^"]+)"/m.exec(readFileSync('wrangler.toml', 'utf8')) ?? []
  return [`${name}-${environment}`]
}
