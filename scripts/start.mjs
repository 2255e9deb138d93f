/**
 * `npm start`: everything from a clean clone to a served, seeded Roster with all bindings local. Safe to run again.
 * PORT (8787) and PERSIST_TO (.roster/state) may be set. Ctrl-C ends the server too.
 */
import { spawn } from 'node:child_process'
import { constants, copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { printWelcome, seedDemo } from './demo.mjs'

const port = Number(process.env.PORT ?? 8787)
const stateFolder = path.resolve(process.env.PERSIST_TO ?? '.roster/state')
const origin = `http://127.0.0.1:${port}`
const wrangler = path.resolve('node_modules/wrangler/bin/wrangler.js')
const READY_TIMEOUT_MS = 60_000

if (!Number.isInteger(port) || port < 1 || port > 65_535)
  stop(`PORT is ${process.env.PORT}: use a number from 1 to 65535.`)
mkdirSync(stateFolder, { recursive: true })
if (!existsSync('.dev.vars')) {
  copyFileSync('.dev.vars.example', '.dev.vars', constants.COPYFILE_EXCL)
  console.log('Created .dev.vars from .dev.vars.example.')
}

console.log('Applying the migrations to the local D1 …')
await migrate()
if (await answers())
  stop(`Something already answers at ${origin}. Stop it, or choose another port: PORT=8788 npm start`)

const server = startServer()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => server.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal))
}
server.on('exit', (code) => process.exit(code ?? 0))

try {
  await ready()
  printWelcome(origin, await seedDemo({ origin, adminKey: adminKey(), stateFolder }))
} catch (error) {
  console.error(`\n${error.message}`)
  server.kill('SIGTERM')
}

/** Wrangler prints a page about each migration; it is shown only when something went wrong. */
function migrate() {
  return new Promise((resolve) => {
    const child = spawn(
      process.execPath,
      [wrangler, 'd1', 'migrations', 'apply', 'DB', '--local', '--persist-to', stateFolder],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, CI: '1' } },
    )
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
    child.on('exit', (code) => {
      if (code === 0) resolve()
      else stop(`${output}\nThe migrations could not be applied to ${stateFolder}; see above.`)
    })
  })
}

function startServer() {
  return spawn(
    process.execPath,
    [
      wrangler,
      'dev',
      '--ip=127.0.0.1',
      `--port=${port}`,
      '--inspector-port=0',
      `--persist-to=${stateFolder}`,
      '--show-interactive-dev-session=false',
      '--log-level=warn',
    ],
    // The data of a request's origin would be fetched from Cloudflare; nothing here uses it.
    { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, CLOUDFLARE_CF_FETCH_ENABLED: 'false' } },
  )
}

async function ready() {
  console.log('Starting workerd …')
  const deadline = Date.now() + READY_TIMEOUT_MS
  while (Date.now() < deadline) {
    if (await answers()) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`The server did not answer at ${origin} within ${READY_TIMEOUT_MS / 1000} s.`)
}

async function answers() {
  return fetch(`${origin}/healthz`, { signal: AbortSignal.timeout(2_000) }).then(
    () => true,
    () => false,
  )
}

function adminKey() {
  const line = /^ADMIN_KEYS\s*=\s*"?([^",\s]+)/m.exec(readFileSync('.dev.vars', 'utf8'))
  if (!line) throw new Error('.dev.vars has no ADMIN_KEYS. Copy the line from .dev.vars.example.')
  return line[1]
}

function stop(message) {
  console.error(message)
  process.exit(1)
}
