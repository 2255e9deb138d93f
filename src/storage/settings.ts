/**
 * What a tenant has configured, in D1, by name. Each write is one statement that stands for itself; the trigger that starts
 * onboardings reads the value beside.
 */
import { and, eq, sql } from 'drizzle-orm'
import type { Secret } from '../events/signature.ts'
import type { KeptSettings, SettingsStore } from '../onboarding/ports.ts'
import type { OnboardingSettings } from '../onboarding/steps.ts'
import type { Scope } from '../registry/customer.ts'
import { keepStatements, selectKept } from './admin-idempotency-records.ts'
import { openDatabase } from './database.ts'
import { settings } from './outbox-tables.ts'
import { orUnavailableIn } from './unavailable.ts'

const ONBOARDING = 'customer_onboarding'

export function onboardingSettings(d1: D1Database, scope: Scope): SettingsStore {
  const orUnavailable = orUnavailableIn(scope)
  const isOnboarding = and(
    eq(settings.tenantId, scope.tenantId),
    eq(settings.mode, scope.mode),
    eq(settings.name, ONBOARDING),
  )
  const database = () => openDatabase(d1.withSession('first-primary'))
  const read = () =>
    orUnavailable(async () => {
      const [row] = await database().select().from(settings).where(isOnboarding)
      return row ? keptOf(row) : null
    })
  return {
    read,
    replace: (value, { ifVersion, secret, actor, nowMs }) =>
      orUnavailable(async () => {
        const text = JSON.stringify(value)
        const isExpected = ifVersion === null ? sql`1` : sql`${settings.version} = ${ifVersion}`
        // Who expects a version other than 0 expects settings that are there.
        const mayBeFirst = ifVersion ? sql`EXISTS (SELECT 1 FROM settings WHERE ${isOnboarding})` : sql`1`
        const secrets = JSON.stringify([{ secret, expiresAtMs: null }])
        const first = sql`${scope.tenantId}, ${scope.mode}, ${ONBOARDING}, ${text}, ${secrets}, 1, ${nowMs}, ${actor}`
        const [row] = await database()
          .insert(settings)
          .select(sql`SELECT ${first} WHERE ${mayBeFirst}`)
          .onConflictDoUpdate({
            target: [settings.tenantId, settings.mode, settings.name],
            set: {
              value: sql`excluded.value`,
              version: sql`${settings.version} + 1`,
              updatedAtMs: nowMs,
              updatedBy: actor,
            },
            setWhere: sql`${isExpected} AND ${settings.value} IS NOT excluded.value`,
          })
          .returning()
        if (row) return keptOf(row)
        // Another version, or settings that are what they are to be.
        const kept = await read()
        return kept && (ifVersion === null || kept.version === ifVersion) ? kept : null
      }),

    replaceSecrets: (seen, secrets, kept) =>
      orUnavailable(async () => {
        const db = database()
        const have = (those: readonly Secret[]) =>
          and(isOnboarding, sql`${settings.secrets} = ${JSON.stringify(those)}`)
        const replaced = sql`EXISTS ${db.select({ found: sql`1` }).from(settings).where(have(secrets))}`
        const [rows] = await db.batch([
          db
            .update(settings)
            .set({ secrets: [...secrets] })
            .where(have(seen))
            .returning({ name: settings.name }),
          ...(kept ? keepStatements(db, kept, replaced) : []),
        ])
        return rows.length > 0
      }),

    keptAnswer: (key, nowMs) => orUnavailable(async () => (await selectKept(database(), key, nowMs))[0] ?? null),

    keepAnswer: (kept) =>
      orUnavailable(async () => {
        const db = database()
        await db.batch(keepStatements(db, kept))
      }),
  }
}

function keptOf({ value, version, secrets, updatedAtMs, updatedBy }: typeof settings.$inferSelect): KeptSettings {
  return { settings: value as unknown as OnboardingSettings, version, secrets, updatedAtMs, updatedBy }
}
