/**
 * `npm run tail`: what a deployment logs, as it happens, one readable line each. `wrangler tail` fetches; tail-lines.ts words.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Documents, linesOf } from './tail-lines.ts'

const USAGE = `npm run tail -- [options]

  --env <name>      another environment than production, such as staging
  --tenant <id>     only this tenant's; the beginning of its id is enough
  --errors          only what is broken`

let options
try {
  const string = { type: 'string' }
  const flag = { type: 'boolean', default: false }
  options = parseArgs({ options: { env: string, tenant: string, errors: flag, help: flag } }).values
} catch (error) {
  console.error(`${error.message}\n\n${USAGE}`)
  process.exit(2)
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
  (line) => console.error(line),
)
child.stdout.setEncoding('utf8').on('data', (text) => documents.push(text))
child.on('error', (error) => {
  console.error(`wrangler could not be started: ${error.message}. Run it as \`npm run tail\``)
  process.exitCode = 2
})
child.on('close', (code) => {
  process.exitCode ||= code ?? 0
})
// Interrupted at the terminal, wrangler takes its tail down and ends; so does this.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))

/** An environment's Worker is called as `npm run deploy` calls it; wrangler itself knows production's from wrangler.toml. */
function workerOf(environment) {
  if (environment === undefined) return []
  const [, name] = /^name = "([^"]+)"/m.exec(readFileSync('wrangler.toml', 'utf8')) ?? []
  return [`${name}-${environment}`]
}
