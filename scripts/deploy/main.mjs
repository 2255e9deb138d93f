/**
 * `npm run deploy`: deploys Roster to a fresh account, and every further version. Creates
 * what is missing, changes nothing that is there, applies the migrations before the code that needs them, and makes the
 * secrets of a first deployment. Safe to run again, also after it broke off. docs/operations/deploy.md has the details.
 */
import { readFileSync } from 'node:fs'
import { parse as parseToml } from 'smol-toml'
import { CloudflareApi, CloudflareError } from '../cloudflare-api.mjs'
import { check } from '../deploy-check/main.mjs'
import { EXIT } from '../deploy-check/report.ts'
import { configOf, resourcesOf, withIds, withJurisdiction, withoutAnalytics } from '../environment.mjs'
import { accountOf, tokenOf } from './account.mjs'
import { databaseCount, databasesThere, jurisdictionOf } from './existing.mjs'
import { showFirstSignIn } from './first-owner.mjs'
import { migrateAll, pendingMigrations } from './migrations.mjs'
import { readOptions } from './options.mjs'
import {
  provideBucket,
  provideDatabases,
  provideNamespaces,
  provideQueue,
  provideSubdomain,
  report,
} from './provision.mjs'
import { ready } from './ready.mjs'
import { explain, failureIn, failuresOf, Stop } from './refusals.mjs'
import { missingSecrets, showSecrets } from './secrets.mjs'
import { inFolder, shown } from './wrangler.mjs'

const WITHOUT_ANALYTICS = `
Deployed without Analytics Engine: Roster does everything it does with it, and counts nothing (docs/observability.md, "Counts").
The next deployment without --without-analytics asks for it again.`

/** The context of `explain`. */
const context = { account: '<account>', worker: 'roster', byToken: Boolean(process.env.CLOUDFLARE_API_TOKEN) }

try {
  await main(readOptions())
} catch (error) {
  console.error(`\n${error.message}${error.cause ? `: ${error.cause.message}` : ''}`)
  const failures = error instanceof CloudflareError ? failuresOf(error) : []
  for (const text of failures.map((failure) => explain(failure, context)).filter(Boolean)) console.error(text)
  // With --check, 1 already means that Cloudflare behaves in another way, so a failure needs another exit code.
  process.exitCode = error.exitCode ?? (process.argv.includes('--check') ? EXIT.couldNotRun : 1)
}

async function main(given) {
  const base = parseToml(readFileSync('wrangler.toml', 'utf8'))
  const first = configurationOf(base, given, 1)
  const api = new CloudflareApi(await tokenOf())
  api.account = await accountOf(api, first)
  Object.assign(context, { account: api.account, worker: first.name })
  if (given.check) {
    process.exitCode = await check({ api, base: first, options: given, explaining: context })
    return
  }
  console.log(`${first.name} in account ${api.account}${given.dryRun ? ': dry run, nothing is changed' : ''}\n`)

  const there = await databasesThere(api, base, given.environment)
  const wanted = given.jurisdiction ?? (base.vars.JURISDICTION || null)
  const options = { ...given, jurisdiction: jurisdictionOf(there, wanted, given) }
  const config = configurationOf(base, options, databaseCount(there, options))
  const subdomain = await provideSubdomain(api, options, context)
  const names = resourcesOf(config)
  const secrets = await missingSecrets(api, config.name, names.secrets)
  if (options.upload && Object.keys(secrets).length > 0) {
    throw new Stop(`There is no ${config.name} yet to upload a further version of: deploy it without --upload first.`)
  }
  const { databases, region } = await provideDatabases(api, config, options)
  const namespaceIds = await provideNamespaces(api, names.namespaces, options)
  for (const name of names.buckets) await provideBucket(api, name, options)
  for (const name of names.queues) await provideQueue(api, name, options)
  const pending = await pendingOf(api, databases, config)
  if (options.dryRun) {
    console.log(`\nThen: the migrations that are not applied yet, and a new version of ${config.name}.`)
    return
  }

  const known = withIds(config, { databaseIds: databases.map(({ uuid }) => uuid), namespaceIds, primaryRegion: region })
  const url = await inFolder(known, async (folder, file) => {
    await migrateAll(api, databases, pending, { folder, file, context })
    console.log(`\n${options.upload ? 'Uploading' : 'Deploying'} ${config.name} …`)
    const where = { folder, account: api.account }
    if (options.upload) return upload(file, where, options)
    try {
      return await deploy(file, where, secrets)
    } finally {
      await showSecrets(api, config.name, secrets)
    }
  })
  if (options.withoutAnalytics) console.log(WITHOUT_ANALYTICS)
  if (options.upload) return
  const served = options.url ?? url ?? (config.workers_dev && `https://${config.name}.${subdomain}.workers.dev`)
  if (!served) console.log('\nDeployed. With --url the command waits until it is ready.')
  const isReady = served && (await ready(served, config.name))
  if (isReady && secrets.ADMIN_KEYS) {
    await showFirstSignIn(served, secrets.ADMIN_KEYS, options.owner ?? (await api.userEmail()))
  }
}

function configurationOf(base, options, databases) {
  const config = withJurisdiction(configOf(base, options.environment, process.cwd(), databases), options.jurisdiction)
  return options.withoutAnalytics ? withoutAnalytics(config) : config
}

/** Returns for each database the migrations to apply. A database that a dry run found missing has none to look at. */
async function pendingOf(api, databases, config) {
  const pending = []
  const lacking = new Map()
  for (const [at, database] of databases.entries()) {
    const found = database === null ? [] : await pendingMigrations(api, database, config.d1_databases[at])
    for (const { name } of found) lacking.set(name, [...(lacking.get(name) ?? []), database.name])
    pending.push(found)
  }
  for (const [name, of] of lacking) {
    report('migration', name, `will be applied${databases.length > 1 ? ` to ${of.join(', ')}` : ''}`)
  }
  return pending
}

/** Deploys a version with its new secrets. Returns the URL that wrangler prints, or null. */
async function deploy(file, where, secrets) {
  const args = ['deploy', '--config', file]
  const lines =
    Object.keys(secrets).length === 0
      ? await wrangler(args, where)
      : await wrangler([...args, '--secrets-file', '/dev/stdin'], { ...where, stdin: JSON.stringify(secrets) })
  const targets = lines.find(({ type }) => type === 'deploy')?.targets ?? []
  return targets.find((target) => /^https:\S+$/.test(target)) ?? null
}

/** Uploads a version that serves no request, and prints what it leaves unchanged. */
async function upload(file, where, { environment }) {
  const lines = await wrangler(['versions', 'upload', '--config', file], where)
  const { version_id: id = 'NEW' } = lines.find(({ type }) => type === 'version-upload') ?? {}
  const { worker } = context
  const triggers = environment === null ? `, or with \`npx wrangler triggers deploy --name ${worker}\`` : ''
  console.log(`
The version ${id} serves no requests yet. Give it a share, and later larger ones (OLD: \`npx wrangler deployments status --name ${worker}\`):

  npx wrangler versions deploy ${id}@10% OLD@90% --name ${worker} --durable-objects-code-update-mode immediate

Its cron, its queue consumer and its Workflow are as the last full deployment left them. If wrangler.toml has changed them,
finish with \`npm run deploy${environment === null ? '' : ` -- --env ${environment}`}\`${triggers} once the version serves all requests.
Until the newest version serves, \`wrangler secret put\` is refused (10215): \`npx wrangler versions secret put <name> --name ${worker}\`
makes a further version, out of the newest one, that is then deployed as above.`)
}

async function wrangler(args, where) {
  const { code, lines } = await shown(args, where)
  if (code === 0) return lines
  const failed = lines.find(({ type }) => type === 'command-failed')
  const explained = failed && explain(failureIn(failed.message, failed.code ?? null), context)
  throw new Stop(explained ?? `\`wrangler ${args[0]}\` failed, see above. Fix that and run \`npm run deploy\` again.`)
}
