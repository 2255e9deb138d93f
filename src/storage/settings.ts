/**
 * What a tenant has configured, in D1, by name. Each write is one statement that stands for itself; the trigger that starts
 * onboardings reads the value beside.
 */
import { and, eq, sql } from 'drizzle-orm'
import type { KeptSettings, SettingsStore } from '../onboarding/ports.ts'
import type { OnboardingSettings } from '../onboarding/steps.ts'
import type { Scope } from '../registry/customer.ts'
import { openDatabase } from './database.ts'
import { settings } from './outbox-tables.ts'

const ONBOARDING = 'customer_onboarding'

export function onboardingSettings(d1: D1Database, scope: Scope): SettingsStore {
  const isOnboarding = and(
    eq(settings.tenantId, scope.tenantId),
    eq(settings.mode, scope.mode),
    eq(settings.name, ONBOARDING),
  )
  const database = () => openDatabase(d1.withSession('first-primary'))
  const read = async () => {
    const [row] = await database().select().from(settings).where(isOnboarding)
    return row ? keptOf(row) : null
  }
  return {
    read,
    async replace(value, { ifVersion, secret, actor, nowMs }) {
      const text = JSON.stringify(value)
      const isExpected = ifVersion === null ? sql`1` : sql`${settings.version} = ${ifVersion}`
      // Who expects a version other than 0 expects settings that are there.
      const mayBeFirst =
        ifVersion === null || ifVersion === 0 ? sql`1` : sql`EXISTS (SELECT 1 FROM settings WHERE ${isOnboarding})`
      const secrets = JSON.stringify([{ secret, expiresAtMs: null }])
      const [row] = await database()
        .insert(settings)
        .select(
          sql`SELECT ${scope.tenantId}, ${scope.mode}, ${ONBOARDING}, ${text}, ${secrets}, 1, ${nowMs}, ${actor} WHERE ${mayBeFirst}`,
        )
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
    },
    async replaceSecrets(seen, secrets) {
      const { meta } = await database()
        .update(settings)
        .set({ secrets: [...secrets] })
        .where(and(isOnboarding, sql`${settings.secrets} = ${JSON.stringify(seen)}`))
      return meta.changes === 1
    },
  }
}

function keptOf({ value, version, secrets, updatedAtMs, updatedBy }: typeof settings.$inferSelect): KeptSettings {
  return { settings: value as unknown as OnboardingSettings, version, secrets, updatedAtMs, updatedBy }
}
