import { existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs'
import path from 'node:path'
import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-pool-workers'
import { defineConfig } from 'vitest/config'

/** No test bounds a time, so these only end what hangs. A machine that is busy with other things takes many times longer. */
const GENEROUS = { testTimeout: 300_000, hookTimeout: 300_000 }

/** A file system in memory, and the room it must have: in some containers it is tiny. */
const [MEMORY, ROOM_BYTES] = ['/dev/shm', 4 * 1024 ** 3]

// Nothing that a test stores outlives the run, and each commit of D1, KV or a gate would wait for the disk.
if (existsSync(MEMORY)) {
  const { bavail, bsize } = statfsSync(MEMORY)
  if (bavail * bsize >= ROOM_BYTES) process.env.TMPDIR ??= MEMORY
}

/**
 * Files that have a runtime and a storage of their own, because they replace what others use, or look at more than a tenant
 * of their own: at all that is stored, swept, logged or asked of D1. The others share a runtime, which saves two thirds of
 * what it costs to start a file.
 */
const ALONE = [
  'apis/admin/{audit,guard,idempotency}',
  'apis/storage-budget',
  'events/{chain,costs,held,no-event-lost,sealed}',
  'failures/*',
  'http/unauthenticated',
  'import/{costs,export-pieces,interrupted,refused,timers}',
  'limits/*',
  'observability/*',
  'onboarding/*',
  'storage/{commit,costs,retention,schema}',
  'tenants/{deletion,idempotency,usage}',
  'versions/*',
  'writes/idempotency',
].map((name) => `test/workers/${name}.test.ts`)

/** It lets requests race; alone, the races are those of its requests. */
const LAST = ['test/workers/registry/whole-registry.test.ts']

/** Files that start processes of their own. The others in Node are pure, and share what they load. */
const PROCESSES = ['apis', 'commands', 'docs', 'isolates', 'sdk', 'size'].map((name) => `test/node/${name}/*.test.ts`)

/** Folders whose files run in a Worker. */
const IN_WORKERS = ['openapi', 'src', 'test/shared', 'test/workers']

/**
 * The libraries that they import, by the exact names. Each is read as one file: a Worker would take a hundred requests to load
 * one of them. A name that is missing here would give the Worker a second copy of its library.
 */
const LIBRARIES = [...new Set(IN_WORKERS.flatMap(importsIn))].sort()

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
    // On two cores. Half of the suite waits: for back-offs, for leases to end, for processes to start.
    maxWorkers: 4,
    projects: [
      await inWorkerd('workerd', {
        include: ['test/workers/**/*.test.ts'],
        exclude: [...ALONE, ...LAST],
        isolate: false,
      }),
      await inWorkerd('workerd alone', { include: ALONE }),
      await inWorkerd('workerd last', { include: LAST, sequence: { groupOrder: 1 } }),
      inNode('commands', { include: PROCESSES }),
      inNode('node', { include: ['test/node/**/*.test.ts'], exclude: PROCESSES, isolate: false }),
    ],
  },
}))

/** Returns a project whose files run in Node. */
function inNode(name: string, files: { include: string[]; exclude?: string[]; isolate?: boolean }) {
  return {
    test: {
      name,
      ...files,
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
  files: { include: string[]; exclude?: string[]; isolate?: boolean; sequence?: { groupOrder: number } },
) {
  return {
    plugins: [
      cloudflareTest({
        wrangler: { configPath: './wrangler.toml' },
        miniflare: {
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
      setupFiles: ['./test/workers/support/migrate.ts'],
      ...files,
      ...GENEROUS,
    },
  }
}
