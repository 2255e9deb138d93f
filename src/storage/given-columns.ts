/**
 * What a command means for the columns of a customer: which get a value of their own, how, and which. Pure; the statements
 * that put the values there are in customer-statements.ts.
 */
import { type CustomerChanges, DEFAULT_TIMEZONE, OPTIONAL_TEXT_FIELDS } from '../registry/customer.ts'
import type { Command } from '../registry/ports.ts'
import type { customers } from './tables.ts'

export type CustomerColumn = keyof typeof customers.$inferInsert

export type New = Extract<Command, { kind: 'create' | 'upsert' }>

/** How a column gets what the caller sent: as it is, merged into what is there, or as the customer that has this external id. */
export interface Given {
  as: 'is' | 'merged' | 'holder'
  value: unknown
}
export type GivenColumns = Partial<Record<CustomerColumn, Given>>

/** An upsert that gets here names no customer yet: it creates, or finds that another was quicker. */
export function isNew(command: Command): command is New {
  return command.kind === 'create' || command.kind === 'upsert'
}

export function newFields(command: New): CustomerChanges & { externalId: string } {
  return command.kind === 'create' ? command.fields : { ...command.changes, externalId: command.externalId }
}

/** Each column that the change gives a value of its own. */
export function givenBy(command: Command): GivenColumns {
  switch (command.kind) {
    case 'create':
    case 'upsert': {
      const { timezone, metadata, integrations, profile, status, ...fields } = newFields(command)
      return givenColumns({
        ...fields,
        timezone: timezone ?? DEFAULT_TIMEZONE,
        metadata: metadata ?? { replace: {} },
        integrations: integrations ?? [],
        profile: profile ?? {},
        status: status ?? 'published',
      })
    }
    case 'update':
      return givenColumns(command.changes)
    case 'erase':
      return givenColumns({
        ...Object.fromEntries(OPTIONAL_TEXT_FIELDS.map((field) => [field, null])),
        timezone: DEFAULT_TIMEZONE,
      })
    case 'archive':
    case 'restore':
      return {}
  }
}

/** What the caller named, in the order of the columns: the same fields in another order are the same shape. */
function givenColumns(changes: CustomerChanges): GivenColumns {
  const { externalId, timezone, parent, metadata, integrations, profile, status } = changes
  const given: GivenColumns = {}
  const give = (column: CustomerColumn, value: unknown, as: Given['as'] = 'is') => {
    given[column] = { as, value }
  }
  for (const field of OPTIONAL_TEXT_FIELDS) if (changes[field] !== undefined) give(field, changes[field])
  if (externalId !== undefined) give('externalId', externalId)
  if (timezone !== undefined) give('timezone', timezone ?? DEFAULT_TIMEZONE)
  if (parent && 'externalId' in parent) give('parentId', parent.externalId, 'holder')
  else if (parent !== undefined) give('parentId', parent?.id ?? null)
  if (metadata !== undefined) {
    if ('replace' in metadata) give('metadata', JSON.stringify(metadata.replace))
    else give('metadata', JSON.stringify(metadata.merge), 'merged')
  }
  if (integrations !== undefined) give('integrations', canonicalJson(integrations))
  if (profile !== undefined) give('profile', JSON.stringify(profile), 'merged')
  if (status !== undefined) give('status', status)
  return given
}

/** Integrations as text that is the same for the same list, whatever the order of the keys in its entries. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
