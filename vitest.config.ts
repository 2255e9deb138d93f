import path from 'node:path'
import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-pool-workers'
import { defineConfig } from 'vitest/config'

/** Run in plain Node: the pure core, and what starts a workerd of its own. */
const nodeTests = [
  'test/**/*.model.test.ts',
  'test/isolates/*.test.ts',
  'test/commands/*.test.ts',
  'test/sdk/*.test.ts',
  'test/doors/bound-worker.test.ts',
  'test/docs/*.test.ts',
]

/** Measure time, so they run when the others have ended. */
const timedTests = ['test/size/*.test.ts']

export default defineConfig(async () => ({
  test: {
    // The lines that Roster logs are worth reading only where something failed.
    silent: 'passed-only' as const,
    // On two cores. Half of the suite waits: for back-offs, for leases to end, for processes to start.
    maxWorkers: 3,
    projects: [
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: './wrangler.toml' },
            miniflare: {
              bindings: {
                ADMIN_KEYS: 'test-admin-key-0123456789abcdef',
                SIGNING_SECRETS: 'test-signing-secret-0123456789abcdef',
                ALLOW_LOCAL_WEBHOOKS: 'true',
                DEPLOYED: 'false',
                MODEL_RUNS: process.env.MODEL_RUNS ?? '',
                MODEL_SEED: process.env.MODEL_SEED ?? '',
                TEST_MIGRATIONS: await readD1Migrations(path.join(import.meta.dirname, 'migrations')),
              },
            },
          }),
        ],
        test: {
          name: 'workerd',
          include: ['test/**/*.test.ts'],
          exclude: [...nodeTests, ...timedTests],
          setupFiles: ['./test/support/migrate.ts'],
          testTimeout: 30_000,
        },
      },
      { test: { name: 'node', include: nodeTests, environment: 'node', testTimeout: 120_000 } },
      {
        test: {
          name: 'timed',
          include: timedTests,
          environment: 'node',
          testTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
}))
