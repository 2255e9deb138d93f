/** Operations on tenants over the real D1, with gates and a clock that the tests control. */
import { env } from 'cloudflare:workers'
import { vi } from 'vitest'
import type { IdempotentRequest } from '../../../src/idempotency/idempotency.ts'
import { newId, newTenantId } from '../../../src/shared/ids.ts'
import { tenantStore } from '../../../src/storage/tenants/tenants.ts'
import { createTenant } from '../../../src/tenants/operations.ts'
import type { TenantChanges, TenantDeps } from '../../../src/tenants/ports.ts'

export const SIGNING_SECRET = 'a-signing-secret-of-the-tests'

export interface Hand {
  deps: TenantDeps
  /** The steps of the gates and the Worker, in order. */
  steps: string[]
  /** The answer of each gate; an Error is thrown. */
  live: { waitMs: number } | Error
  test: { waitMs: number } | Error
  nowMs: number
}

export function hand(): Hand {
  const steps: string[] = []
  const store = tenantStore([env.DB], { actor: 'admin', role: null, sessionId: null, requestId: null, reason: null })
  const mine: Hand = {
    steps,
    live: { waitMs: 0 },
    test: { waitMs: 0 },
    nowMs: Date.UTC(2026, 0, 20, 15),
    deps: {
      store: {
        ...store,
        markApplied: (tenantId, version) => {
          steps.push(`applied ${version}`)
          return store.markApplied(tenantId, version)
        },
      },
      gates: {
        reload: async (tenantId, mode) => {
          const version = (await store.get(tenantId))?.policyVersion
          steps.push(`${mode} reads ${version}`)
          const answer = mine[mode]
          if (answer instanceof Error) throw answer
          return answer
        },
        usage: () => Promise.reject(new Error('no gate counts here')),
      },
      sleep: async (durationMs) => void steps.push(`sleeps ${durationMs}`),
      clock: () => mine.nowMs,
      newId,
      newTenantId,
      chooseDatabase: async () => 0,
      copyToDatabase: async () => {},
      resumeDeliveries: async () => {},
      signingSecrets: [SIGNING_SECRET],
    },
  }
  return mine
}

export function make(deps: TenantDeps, fields: TenantChanges = {}, idempotentRequest: IdempotentRequest | null = null) {
  const given = { companyName: 'Acme Financial', contactEmail: 'compliance@acmefinancial.com', ...fields }
  return createTenant(deps, given, idempotentRequest)
}

/** Returns the failure that a promise was rejected with. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  const error = await promise.then(
    () => new Error('it was not refused'),
    (error) => error,
  )
  if (!('failure' in error)) throw error
  return error.failure
}

/** Returns the lines that are logged while `run` runs. */
export async function loggedIn(run: () => Promise<unknown>): Promise<string[]> {
  const lines: string[] = []
  const spies = (['info', 'warn', 'error'] as const).map((level) =>
    vi.spyOn(console, level).mockImplementation((line: string) => void lines.push(line)),
  )
  try {
    await run()
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
  return lines
}
