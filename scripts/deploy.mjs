/**
 * `npm run deploy`: from a fresh clone to a served Roster in a fresh account, and from then on every further version. Creates
 * what is missing, changes nothing that is there, applies the migrations before the code that needs them, and makes the secrets
 * of a first deployment. Safe to run again, also after it broke off. docs/operations.md tells of the rest.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { parse as parseToml } from 'smol-toml'
import { CloudflareApi } from './cloudflare-api.mjs'
import { configOf, resourcesOf, withIds } from './environment.mjs'

const USAGE = `npm run deploy -- [options]

  --env <name>         another environment, such as staging, with everything of its own; else production
  --upload             a version that serves nobody yet: \`wrangler versions deploy\` gives it its share
  --dry-run            say what is there and what would be created, and change nothing
  --location <region>  where the primary of a new D1 is: wnam, enam, weur, eeur, apac, oc; else near you
  --subdomain <name>   the workers.dev subdomain of an account that has none yet
  --url <url>          where Roster is served, when that is not workers.dev`

const LOCATIONS = ['wnam', 'enam', 'weur', 'eeur', 'apac', 'oc']
const SECRET_BYTES = 32
/** The certificate of a new subdomain takes its time. */
const READY_TIMEOUT_MS = 180_000
const READY_POLL_MS = 2_000
const wrangler = path.resolve('node_modules/wrangler/bin/wrangler.js')

/** Something the operator has to do first. */
class Stop extends Error {}

try {
  await main(readOptions())
} catch (error) {
  console.error(`\n${error.message}`)
  process.exitCode = 1
}

function readOptions() {
  const string = { type: 'string' }
  const flag = { type: 'boolean', default: false }
  let values
  try {
    const options = {
      env: string,
      upload: flag,
      'dry-run': flag,
      location: string,
      subdomain: string,
      url: string,
      help: flag,
    }
    values = parseArgs({ options }).values
  } catch (error) {
    throw new Stop(`${error.message}\n\n${USAGE}`)
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
  // Wrangler reads the secrets from /dev/stdin, so that they are in no file and on no command line.
  if (process.platform === 'win32') throw new Stop('Deploy from Linux, macOS or WSL: this needs /dev/stdin')
  return { ...values, dryRun: values['dry-run'], environment: values.env ?? null }
}

async function main(options) {
  const config = configOf(parseToml(readFileSync('wrangler.toml', 'utf8')), options.environment, process.cwd())
  const api = new CloudflareApi(await tokenOf())
  api.account = await accountOf(api, config)
  console.log(`${config.name} in account ${api.account}${options.dryRun ? ': dry run, nothing is changed' : ''}\n`)

  const subdomain = await provideSubdomain(api, options)
  const names = resourcesOf(config)
  const secrets = await missingSecrets(api, config.name, names.secrets)
  if (options.upload && Object.keys(secrets).length > 0) {
    throw new Stop(
      `There is no ${config.name} yet that a version could be tried beside: deploy it without --upload first.`,
    )
  }
  const databases = []
  for (const name of names.databases) databases.push(await provideDatabase(api, name, options))
  const namespaceIds = await provideNamespaces(api, names.namespaces, options)
  for (const name of names.queues) await provideQueue(api, name, options)
  if (options.dryRun) {
    console.log(`\nThen: the migrations that are not applied yet, and a new version of ${config.name}.`)
    return
  }

  const primaryRegion = databases[0].running_in_region?.toLowerCase() ?? ''
  const known = withIds(config, { databaseIds: databases.map(({ uuid }) => uuid), namespaceIds, primaryRegion })
  const url = await inFolder(known, async (folder, file) => {
    for (const name of names.databases) await migrate(name, file, api.account)
    console.log(`\n${options.upload ? 'Uploading' : 'Deploying'} ${config.name} …`)
    if (options.upload) return run(['versions', 'upload', '--config', file], api.account)
    try {
      return await deploy(file, folder, api.account, secrets)
    } finally {
      await showSecrets(api, config.name, secrets)
    }
  })
  if (!options.upload)
    await ready(options.url ?? url ?? (config.workers_dev && `https://${config.name}.${subdomain}.workers.dev`))
}

/** The token wrangler would use: the variable, or what `wrangler login` left. */
async function tokenOf() {
  if (process.env.CLOUDFLARE_API_TOKEN) return process.env.CLOUDFLARE_API_TOKEN
  const { code, stdout } = await captured(['auth', 'token', '--json'])
  const token = code === 0 ? JSON.parse(stdout).token : null
  if (token) return token
  throw new Stop(
    'Nobody is logged in to Cloudflare. Run `npx wrangler login`, or set CLOUDFLARE_API_TOKEN, then again.',
  )
}

async function accountOf(api, config) {
  const chosen = process.env.CLOUDFLARE_ACCOUNT_ID ?? config.account_id
  if (chosen) return chosen
  const accounts = await api.accounts()
  if (accounts.length === 1) return accounts[0].id
  if (accounts.length === 0) throw new Stop('The token sees no account. Set CLOUDFLARE_ACCOUNT_ID.')
  const list = accounts.map(({ id, name }) => `  ${id}  ${name}`).join('\n')
  throw new Stop(`There are several accounts. Set CLOUDFLARE_ACCOUNT_ID to one of:\n${list}`)
}

async function provideSubdomain(api, options) {
  const known = await api.subdomain()
  if (known) return told('workers.dev subdomain', known, 'found', known)
  if (!options.subdomain) {
    throw new Stop(
      'The account has no workers.dev subdomain yet. Choose one with --subdomain <name>: Roster is then served on https://roster.<name>.workers.dev',
    )
  }
  if (options.dryRun) return told('workers.dev subdomain', options.subdomain, 'would be created', options.subdomain)
  await api.createSubdomain(options.subdomain)
  return told('workers.dev subdomain', options.subdomain, 'created', options.subdomain)
}

async function provideDatabase(api, name, options) {
  let database = await api.database(name)
  if (database === null) {
    if (options.dryRun) return told('D1 database', name, 'would be created', null)
    const { uuid } = await api.createDatabase(name, options.location)
    // What a creation answers does not tell everything.
    database = { ...(await api.database(uuid)), uuid }
    told('D1 database', name, 'created')
  } else told('D1 database', name, 'found')
  if (database.read_replication?.mode === 'auto') told('read replication', name, 'on')
  else if (options.dryRun) told('read replication', name, 'would be switched on')
  else {
    await api.replicate(database.uuid)
    told('read replication', name, 'switched on')
  }
  return database
}

async function provideNamespaces(api, titles, options) {
  const found = await api.namespaces()
  const ids = []
  for (const title of titles) {
    const known = found.find((namespace) => namespace.title === title)
    if (known) ids.push(told('KV namespace', title, 'found', known.id))
    else if (options.dryRun) told('KV namespace', title, 'would be created')
    else ids.push(told('KV namespace', title, 'created', (await api.createNamespace(title)).id))
  }
  return ids
}

async function provideQueue(api, name, options) {
  if (await api.hasQueue(name)) return told('queue', name, 'found')
  if (!options.dryRun) await api.createQueue(name)
  return told('queue', name, options.dryRun ? 'would be created' : 'created')
}

/** New values for the secrets that are not set. One that is set is never read, and never overwritten. */
async function missingSecrets(api, worker, required) {
  const set = await api.secretNames(worker)
  const missing = required.filter((name) => !set.includes(name))
  for (const name of required) told('secret', name, missing.includes(name) ? 'will be made' : 'found')
  return Object.fromEntries(missing.map((name) => [name, randomBytes(SECRET_BYTES).toString('hex')]))
}

function told(kind, name, state, value) {
  console.log(`  ${kind.padEnd(22)} ${name.padEnd(28)} ${state}`)
  return value
}

/** Wrangler reads its configuration from a file: in a folder of its own, ignored by git, which is gone afterwards. */
async function inFolder(config, use) {
  mkdirSync('.wrangler', { recursive: true })
  const folder = mkdtempSync('.wrangler/deploy-')
  try {
    const file = path.join(folder, 'wrangler.json')
    writeFileSync(file, JSON.stringify(config, null, 2))
    return await use(folder, file)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Wrangler prints a page about each migration; it is shown only when something went wrong. */
async function migrate(name, file, account) {
  console.log(`\nApplying the migrations to ${name} …`)
  const { code, output } = await captured(['d1', 'migrations', 'apply', name, '--remote', '--config', file], account)
  if (code === 0) return
  console.error(output)
  throw new Stop(`A migration of ${name} failed, see above. Nothing was deployed: what runs is what ran before.`)
}

/** Answers the URL wrangler tells, or null. New secrets come with the version that needs them. */
async function deploy(file, folder, account, secrets) {
  const told = path.resolve(folder, 'output.ndjson')
  const args = ['deploy', '--config', file]
  const env = { WRANGLER_OUTPUT_FILE_PATH: told }
  if (Object.keys(secrets).length === 0) await run(args, account, env)
  else await run([...args, '--secrets-file', '/dev/stdin'], account, env, JSON.stringify(secrets))
  const lines = readFileSync(told, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
  const targets = lines.find(({ type }) => type === 'deploy')?.targets ?? []
  return targets.find((target) => /^https:\S+$/.test(target)) ?? null
}

/** The one time they can be seen. Also when wrangler failed after the version was there: they would be lost. */
async function showSecrets(api, worker, secrets) {
  const set = await api.secretNames(worker)
  const made = Object.entries(secrets).filter(([name]) => set.includes(name))
  if (made.length === 0) return
  const lines = made.map(([name, value]) => `  ${name.padEnd(16)} ${value}`).join('\n')
  console.log(
    `\nMade for ${worker} and shown this once. Keep them: nobody can read them back, and rotating one needs it.\n\n${lines}`,
  )
  if (secrets.ADMIN_KEYS)
    console.log('\nADMIN_KEYS is the first admin key: `export ROSTER_ADMIN_KEY=` it for `npm run tenant`.')
}

async function ready(url) {
  if (!url) return console.log('\nDeployed. Say --url to have it waited for.')
  console.log(`\nWaiting for ${url}/readyz …`)
  const deadline = Date.now() + READY_TIMEOUT_MS
  for (let last = 'no answer'; ; ) {
    try {
      const answer = await fetch(new URL('/readyz', url), { signal: AbortSignal.timeout(10_000) })
      if (answer.ok) break
      last = `${answer.status} ${await answer.text()}`
    } catch (error) {
      last = error.cause?.message ?? error.message
    }
    if (Date.now() > deadline) throw new Stop(`Deployed, but ${url}/readyz is not ready: ${last}`)
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS))
  }
  console.log(`\nRoster is served on ${url}. The reference: ${url}/docs`)
}

/** Runs wrangler before the operator's eyes; what is secret goes in through a pipe. Node's own would be a socket, which /dev/stdin can not open. */
function run(args, account, env, stdin) {
  const command = [process.execPath, wrangler, ...args]
  const [file, ...rest] = stdin === undefined ? command : ['sh', '-c', 'cat | "$@"', 'sh', ...command]
  return new Promise((resolve, reject) => {
    const child = spawn(file, rest, {
      stdio: [stdin === undefined ? 'inherit' : 'pipe', 'inherit', 'inherit'],
      env: { ...process.env, CLOUDFLARE_ACCOUNT_ID: account, ...env },
    })
    child.on('error', reject)
    child.on('exit', (code) => {
      if (code === 0) resolve()
      else reject(new Stop(`\`wrangler ${args[0]}\` failed, see above. Mend that and run \`npm run deploy\` again.`))
    })
    child.stdin?.end(stdin)
  })
}

function captured(args, account) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [wrangler, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, CI: '1', ...(account && { CLOUDFLARE_ACCOUNT_ID: account }) },
    })
    let [stdout, output] = ['', '']
    child.stdout.on('data', (chunk) => {
      stdout += chunk
      output += chunk
    })
    child.stderr.on('data', (chunk) => (output += chunk))
    child.on('close', (code) => resolve({ code, stdout, output }))
  })
}
