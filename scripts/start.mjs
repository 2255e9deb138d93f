/**
 * `npm start`: serves a Roster with demo data and local bindings, starting from a clean clone. Safe to run again.
 * PORT (8787), PERSIST_TO (.roster/state), DATABASES (those of the data that is there, else 1) and JURISDICTION (none; with one there
 * is no KV) may be set. Ctrl-C ends the server too.
 */
import { spawn } from 'node:child_process'
import { constants, copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { newSignInLink, printWelcome, seedDemo } from './demo.ts'
import { showDemoKeys } from './demo-keys.mjs'
import { JURISDICTIONS } from './deploy/options.mjs'
import { localConfigOf } from './local-config.mjs'
import { LocalLog } from './local-log.ts'
import { migrateLocal } from './local-migrations.mjs'
import { adviceOnLocalState, isMigrated, keepLocalDatabaseCount, localDatabaseCount } from './local-state.ts'

const port = Number(process.env.PORT || 8787)
const stateFolder = path.resolve(process.env.PERSIST_TO || '.roster/state')
const origin = `http://127.0.0.1:${port}`
const wrangler = path.resolve('node_modules/wrangler/bin/wrangler.js')
const MIGRATIONS = 'migrations'
/** Starting takes seconds. A machine that is busy with other things takes many times longer. */
const READY_TIMEOUT_MS = 180_000
/** Wrangler takes seconds to end where the machine is busy. */
const END_WITHIN_MS = 2_000
/** Cloudflare runs the cron once a minute, and `wrangler dev` never does. */
const CRON_EVERY_MS = 60_000

if (!Number.isInteger(port) || port < 1 || port > 65_535)
  stop(`PORT is ${process.env.PORT}: use a number from 1 to 65535.`)
const advice = adviceOnLocalState(stateFolder, MIGRATIONS)
if (advice) stop(advice)
const databases = Number(process.env.DATABASES || localDatabaseCount(stateFolder))
const databasesProblem = problemOfDatabases()
if (databasesProblem) stop(databasesProblem)
const jurisdiction = process.env.JURISDICTION || null
if (jurisdiction !== null && !JURISDICTIONS.includes(jurisdiction))
  stop(`JURISDICTION is ${jurisdiction}: use one of ${JURISDICTIONS.join(', ')}.`)
const problem = await portProblem()
if (problem) stop(problem)
mkdirSync(stateFolder, { recursive: true })
if (!existsSync('.dev.vars')) {
  copyFileSync('.dev.vars.example', '.dev.vars', constants.COPYFILE_EXCL)
  console.log('Created .dev.vars from .dev.vars.example.')
}

keepLocalDatabaseCount(stateFolder, databases)
if (!isMigrated(stateFolder, MIGRATIONS, databases)) {
  await stage(`Applying the migrations to the local D1${databases > 1 ? ` (${databases} databases)` : ''}`, migrate)
}

let isEnding = false
const log = new LocalLog(console.log, { clock: Date.now, colours: process.stdout.isTTY === true })
const server = startServer()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    // Once more ends a server that does not end by itself.
    end(isEnding ? 'SIGKILL' : 'SIGTERM')
    isEnding = true
  })
}
let hasFailed = false
server.on('exit', (code) => process.exit(hasFailed || !isEnding ? code || 1 : 0))

try {
  await stage('Building and starting the Worker', ready)
  const demo = await stage('Looking after the demo tenant', () =>
    seedDemo({ origin, adminKey: adminKey(), stateFolder }),
  )
  showDemoKeys(demo)
  printWelcome(origin, demo, await newSignInLink({ origin, adminKey: adminKey() }))
  log.open()
  setInterval(runCron, CRON_EVERY_MS)
} catch (error) {
  // Ended meanwhile, by Ctrl-C.
  if (!isEnding) {
    hasFailed = true
    console.error(`\n${error.message}`)
  }
  end('SIGTERM')
}

/** Ends wrangler and the workerd below it: by their group, and at the latest after two seconds. Committed data stays. */
function end(signal) {
  const send = (name) => {
    try {
      if (process.platform === 'win32') server.kill(name)
      else process.kill(-server.pid, name)
    } catch {
      // It has ended already.
    }
  }
  send(signal)
  setTimeout(() => send('SIGKILL'), END_WITHIN_MS)
}

/** Says what begins, and how long it took. */
async function stage(what, work) {
  const startMs = Date.now()
  process.stdout.write(`${what} … `)
  try {
    return await work()
  } finally {
    console.log(`${((Date.now() - startMs) / 1_000).toFixed(1)} s`)
  }
}

async function migrate() {
  try {
    await migrateLocal(stateFolder, MIGRATIONS, databases)
  } catch (error) {
    stop(`${error.message}\nThe migrations could not be applied to ${stateFolder}; see above.`)
  }
}

function startServer() {
  const child = spawn(
    process.execPath,
    [
      wrangler,
      'dev',
      ...localConfigOf(databases, jurisdiction),
      '--ip=127.0.0.1',
      `--port=${port}`,
      '--inspector-port=0',
      `--persist-to=${stateFolder}`,
      '--show-interactive-dev-session=false',
      // The lines that Roster logs as information are among these; LocalLog leaves out what is wrangler's own.
      '--log-level=log',
    ],
    // The data of a request's origin would be fetched from Cloudflare; nothing here uses it.
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, CLOUDFLARE_CF_FETCH_ENABLED: 'false', ROSTER_DEMO: 'true' },
      // A group of its own, so that Ctrl-C reaches it once and workerd ends with it.
      detached: process.platform !== 'win32',
    },
  )
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => log.push(text))
  return child
}

async function ready() {
  const deadline = Date.now() + READY_TIMEOUT_MS
  while (Date.now() < deadline) {
    if (await isServed()) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`The server did not answer at ${origin} within ${READY_TIMEOUT_MS / 1000} s.`)
}

async function isServed() {
  return fetch(`${origin}/healthz`, { signal: AbortSignal.timeout(READY_TIMEOUT_MS) }).then(
    () => true,
    () => false,
  )
}

/** Does what the cron of a deployment does. If the server is away, its own output says why. */
async function runCron() {
  await fetch(`${origin}/cdn-cgi/local/scheduled`).catch(() => {})
}

/** Returns what to do if there cannot be so many databases, or null. */
function problemOfDatabases() {
  const found = localDatabaseCount(stateFolder)
  if (!Number.isInteger(databases) || databases < 1)
    return `DATABASES is ${process.env.DATABASES}: use a number from 1.`
  if (databases >= found) return null
  return `The local data in ${path.relative('', stateFolder)} has ${found} databases, and tenants may be in each: leave DATABASES out, or use another folder: PERSIST_TO=.roster/new DATABASES=${databases} npm start`
}

/** Returns what to do if the port cannot be used, or null. */
function portProblem() {
  const another = `choose another port: PORT=${port === 8788 ? 8789 : 8788} npm start`
  return new Promise((resolve) => {
    const probe = createServer()
    probe.on('error', ({ code }) => {
      if (code === 'EADDRINUSE') resolve(`Something already listens at ${origin}. Stop it, or ${another}`)
      else if (code === 'EACCES') resolve(`Port ${port} needs more rights than this user has (${code}): ${another}`)
      else resolve(`Port ${port} cannot be used (${code}): ${another}`)
    })
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(null)))
  })
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
