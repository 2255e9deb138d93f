/**
 * Stores a tenant's settings in D1, by name. Each write is one statement; the trigger that starts onboardings reads the
 * `value` column.
 */
import { and, eq, type SQL, sql } from 'drizzle-orm'
import type { SecretVault } from '../../events/secret-vault.ts'
import type { SettingsStore } from '../../onboarding/ports.ts'
import type { OnboardingSettings } from '../../onboarding/steps.ts'
import type { Scope } from '../../registry/customer.ts'
import { RegistryError, versionConflict } from '../../registry/errors.ts'
import { type Precondition, type Unmet, unmetBy } from '../../registry/precondition.ts'
import { newId } from '../../shared/ids.ts'
import type { Author } from '../../tenants/ports.ts'
import { openDatabase } from '../database.ts'
import { responseStore, storeResponseStatements } from '../idempotency/records.ts'
import { meets } from '../precondition.ts'
import { settings } from '../schema/webhook-tables.ts'
import { inScope } from '../scoped.ts'
import { auditOf } from '../tenants/audit-writes.ts'
import { orUnavailableIn } from '../unavailable.ts'

const ONBOARDING = 'customer_onboarding'

/** `author` is the operator who makes the changes, which the audit then states; null for a caller of the tenant. */
export function onboardingSettings(
  d1: D1Database,
  scope: Scope,
  vault: SecretVault,
  author: Author | null = null,
): SettingsStore {
  const storedSettingsOf = async ({ value, version, secrets, updatedAtMs, updatedBy }: SettingsRow) => ({
    ...{ settings: value as unknown as OnboardingSettings, version, updatedAtMs, updatedBy, sealedSecrets: secrets },
    secrets: (await vault.open(secrets)) ?? [],
  })
  const orUnavailable = orUnavailableIn(scope)
  const isOnboarding = and(inScope(settings, scope), eq(settings.name, ONBOARDING))
  const database = () => openDatabase(d1.withSession('first-primary'))
  const read = () =>
    orUnavailable(async () => {
      const [row] = await database().select().from(settings).where(isOnboarding)
      return row ? storedSettingsOf(row) : null
    })
  return {
    read,
    replace: (value, { precondition, secret, actor, nowMs }) =>
      orUnavailable(async () => {
        const db = database()
        const text = JSON.stringify(value)
        const mayBeFirst = unmetBySettings(precondition, undefined)
          ? sql`EXISTS (SELECT 1 FROM settings WHERE ${isOnboarding})`
          : sql`1`
        const { secrets, sealedBy } = await vault.seal([{ secret, expiresAtMs: null }])
        const isChanged = and(isOnboarding, eq(settings.updatedAtMs, nowMs), eq(settings.updatedBy, actor))
        const audit = author && auditOf(db, author, newId)
        const first = sql`${scope.tenantId}, ${scope.mode}, ${ONBOARDING}, ${text}, ${secrets}, ${sealedBy}, 1, ${nowMs}, ${actor}`
        const [[before], [changed]] = await db.batch([
          db.select().from(settings).where(isOnboarding),
          db
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
              setWhere: and(meets(settings, precondition), sql`${settings.value} IS NOT excluded.value`) as SQL,
            })
            .returning(),
          ...(audit ? [audit.noted('onboarding.settings.replaced', 'setting', nowMs, isChanged)] : []),
        ])
        const unmet = unmetBySettings(precondition, before)
        if (unmet) throw new RegistryError(versionConflict(unmet, before ?? null, 'setting'))
        // Without a change, the settings have these values already.
        return storedSettingsOf((changed ?? before) as SettingsRow)
      }),

    replaceSecrets: (seen, secrets, nowMs, response) =>
      orUnavailable(async () => {
        const db = database()
        const sealed = await vault.seal(secrets)
        const have = (text: string) => and(isOnboarding, eq(settings.secrets, text))
        const replaced = sql`EXISTS ${db.select({ found: sql`1` }).from(settings).where(have(sealed.secrets))}`
        const audit = author && auditOf(db, author, newId)
        const [rows] = await db.batch([
          db.update(settings).set(sealed).where(have(seen.sealedSecrets)).returning({ name: settings.name }),
          ...(audit ? [audit.noted('onboarding.secret_rotated', 'setting', nowMs, have(sealed.secrets))] : []),
          ...(response ? storeResponseStatements(db, scope, response, replaced) : []),
        ])
        return rows.length > 0
      }),

    ...responseStore(database, scope, orUnavailable),
  }
}

type SettingsRow = typeof settings.$inferSelect

/**
 * Does what `unmetBy` does. A caller reads settings that were never stored with version 0, so this version can be named,
 * though they do not exist.
 */
function unmetBySettings(precondition: Precondition | null, row: SettingsRow | undefined): Unmet | null {
  if (row || !precondition) return unmetBy(precondition, row ?? null)
  const { exists, ...versions } = precondition
  return exists ? 'missing' : unmetBy(versions, { version: 0, updatedAtMs: 0 })
}
