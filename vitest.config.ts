import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-pool-workers'
import { defineConfig } from 'vitest/config'
import { keepInMemory } from './test/node/support/memory.ts'

/** No test bounds a time, so these only end what hangs. A machine that is busy with other things takes many times longer. */
const GENEROUS = { testTimeout: 300_000, hookTimeout: 300_000, expect: { poll: { timeout: 120_000 } } }

/**
 * How many workers a project has on two cores, and when it runs. Files that start processes mostly wait: for back-offs, for
 * leases to end, for processes to begin. The others keep a core busy, and a further worker would only load all modules once more.
 */
const WAITING = { maxWorkers: 6, sequence: { groupOrder: 0 } }
const BUSY = { maxWorkers: 2, sequence: { groupOrder: 1 } }

keepInMemory()

/**
 * Files that begin with an empty storage, because they look at all that is stored, swept or asked of D1. All that was stored is
 * removed before each of them: a runtime of its own would cost a file five seconds of a core.
 */
const EMPTIED = [
  'apis/admin/{access,audit,guard,health,idempotency,nothing-yet,operators}',
  'apis/storage-budget',
  'archive/{all-tenants,sweep}',
  'events/{costs,held,sealed}',
  'failures/{bindings,database-full}',
  'http/unauthenticated',
  'import/{costs,export-pieces,interrupted,refused,timers}',
  'limits/d1-requests',
  'registry/without-kv',
  'storage/{commit,costs,retention,schema}',
  'tenants/{deletion,idempotency,usage}',
  'versions/*',
  'writes/idempotency',
].map((name) => `test/workers/${name}.test.ts`)

/**
 * Files that have a runtime of their own, because they leave something behind that is not stored: a clock that was set ahead,
 * workflows and messages that go on, counts in memory.
 */
const ALONE = [
  'events/{chain,no-event-lost}',
  'failures/set-back',
  'limits/d1-background',
  'observability/*',
  'onboarding/*',
].map((name) => `test/workers/${name}.test.ts`)

/** Files that have further databases beside that of `wrangler.toml`. */
const SEVERAL_DATABASES = ['test/workers/databases/**/*.test.ts']

/** It lets D1 fail and requests race: in a runtime of its own they are those of its steps. It takes long, so it begins early. */
const RACES = ['test/workers/registry/whole-registry.test.ts']

/** Files that start processes of their own, most of which wait. The others in Node are pure. */
const PROCESSES = ['apis', 'commands', 'docs', 'isolates', 'sdk', 'size'].map((name) => `test/node/${name}/*.test.ts`)

/** Files that open pages in a browser. They share one served Roster. */
const IN_BROWSER = ['test/node/console/*.test.ts', 'test/node/docs/browser.test.ts']

const LAST_LINES = './test/workers/support/last-lines.ts'
const MAIN_MODULE = './test/workers/support/main-module.ts'
const MIGRATE = './test/workers/support/migrate.ts'

/** Folders whose files run in a Worker. */
const IN_WORKERS = ['openapi', 'src', 'test/shared', 'test/workers']

/**
 * The libraries that they import, by the exact names. Each is read as one file: a Worker would take a hundred requests to load
 * one of them. A name that is missing here would give the Worker a second copy of its library.
 */
const LIBRARIES = [...new Set(IN_WORKERS.flatMap(importsIn))].sort()

/** Changes with the libraries, which the transformed modules name by the file that each was made into. */
const LIBRARIES_HASH = createHash('sha256')
  .update(LIBRARIES.join())
  .update(readFileSync('package-lock.json'))
  .digest('hex')
  .slice(0, 8)

function importsIn(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  return names
    .map((name) => readFileSync(path.join(folder, name), 'utf8'))
    .flatMap((text) => [...text.matchAll(/^(?:import|export|\}) (?!type ).*from '([^'.:][^':]*)'$/gm)])
    .flatMap(([, library]) => library ?? [])
    .filter((library) => library !== 'vitest')
}

export default defineConfig(async () => ({
  test: {
    // The lines that Roster logs are worth reading only where something failed.
    silent: 'passed-only' as const,
    // Projects that run together begin in the order of the alphabet.
    projects: [
      await inWorkerd('workerd', {
        include: ['test/workers/**/*.test.ts'],
        exclude: [...EMPTIED, ...ALONE, ...SEVERAL_DATABASES, ...RACES],
        isolate: false,
      }),
      await inWorkerd('workerd emptied', {
        include: EMPTIED,
        isolate: false,
        setupFiles: [LAST_LINES, MAIN_MODULE, './test/workers/support/empty.ts', MIGRATE],
      }),
      await inWorkerd('workerd alone', { include: ALONE }),
      await inWorkerd('workerd databases', {
        include: SEVERAL_DATABASES,
        isolate: false,
        d1Databases: { DB_1: 'DB_1', DB_2: 'DB_2' },
      }),
      await inWorkerd('races', { include: RACES }),
      inNode('commands', { ...WAITING, include: PROCESSES, exclude: IN_BROWSER }),
      inNode('browser', { ...WAITING, include: IN_BROWSER, globalSetup: './test/node/support/shared-served.ts' }),
      inNode('node', { ...BUSY, include: ['test/node/**/*.test.ts'], exclude: [...PROCESSES, ...IN_BROWSER] }),
    ],
  },
}))

/** Returns a project whose files run in Node, and share what they load. */
function inNode(name: string, files: typeof WAITING & { include: string[]; exclude?: string[]; globalSetup?: string }) {
  return {
    test: {
      name,
      ...files,
      isolate: false,
      environment: 'node' as const,
      // Dozens of tests start wrangler, whose 15 MB of code are then compiled only once.
      env: { NODE_COMPILE_CACHE: path.join(import.meta.dirname, 'node_modules/.cache/compiled') },
      ...GENEROUS,
    },
  }
}

/** Returns a project whose files run in a Worker. */
async function inWorkerd(
  name: string,
  {
    d1Databases = {},
    ...files
  }: {
    include: string[]
    exclude?: string[]
    isolate?: boolean
    setupFiles?: string[]
    d1Databases?: Record<string, string>
  },
) {
  return {
    plugins: [
      cloudflareTest({
        wrangler: { configPath: './wrangler.toml' },
        miniflare: {
          d1Databases,
          bindings: {
            ADMIN_KEYS: 'test-admin-key-0123456789abcdef',
            SIGNING_SECRETS: 'test-signing-secret-0123456789abcdef',
            ALLOW_LOCAL_WEBHOOKS: 'true',
            DEPLOYED: 'false',
            ALLOWED_HOSTS: '',
            MODEL_RUNS: process.env.MODEL_RUNS ?? '',
            MODEL_SEED: process.env.MODEL_SEED ?? '',
            TEST_MIGRATIONS: await readD1Migrations(path.join(import.meta.dirname, 'migrations')),
          },
        },
      }),
    ],
    test: {
      name,
      deps: { optimizer: { ssr: { enabled: true, include: LIBRARIES } } },
      // Each project makes files of its own out of the libraries. In a cache that they share, a module of one would import those of
      // another, so a library would be there twice.
      fsModuleCachePath: `node_modules/.vitest-cache/${name.replace(' ', '-')}-${LIBRARIES_HASH}`,
      setupFiles: [LAST_LINES, MAIN_MODULE, MIGRATE],
      ...BUSY,
      ...files,
      ...GENEROUS,
    },
  }
}
