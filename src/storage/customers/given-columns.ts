/**
 * Maps a command to the columns of a customer that it sets, with the value of each and how it is set. Pure; the
 * statements that write the values are in statements.ts.
 */
import type { SingleCommand } from '../../gate/protocol/write-store.ts'
import { type CustomerChanges, DEFAULT_TIMEZONE } from '../../registry/customer.ts'
import { CUSTOMER_FIELDS, OPTIONAL_TEXT_FIELDS, type OptionalTextField } from '../../registry/customer-fields.ts'
import type { Command } from '../../registry/ports.ts'
import type { RevertPlan } from '../../registry/revert.ts'
import { canonicalJson } from '../../shared/canonical-json.ts'
import { asciiEmail } from '../../validation/email.ts'
import { foldedPatch } from '../folded.ts'
import type { customers } from '../schema/tables.ts'
import { ownWords } from './search-words.ts'

export type CustomerColumn = keyof typeof customers.$inferInsert

export type New = Extract<Command, { kind: 'create' | 'upsert' }>

/**
 * The value that the caller sent for a column, and how it is written: as it is, merged into the stored value, or as the
 * id of the customer that has this external id. A parent that is merged into another customer stands for that one, but in
 * what a customer `was`.
 */
export interface Given {
  as: 'is' | 'merged' | 'holder' | 'was'
  value: unknown
}
export type GivenColumns = Partial<Record<CustomerColumn, Given>>

/**
 * True also for an upsert: one that gets here found no customer, so it creates one unless another write did meanwhile.
 */
export function isNew(command: { kind: Command['kind'] }): command is New {
  return command.kind === 'create' || command.kind === 'upsert'
}

export function newFields(command: New): CustomerChanges & { externalId: string } {
  return command.kind === 'create' ? command.fields : { ...command.changes, externalId: command.externalId }
}

/** Returns the plan of a revert, null if it is refused. Throws if the command was not resolved. */
export function planOf({ plan, refusal }: Extract<Command, { kind: 'revert' }>): RevertPlan | null {
  if (refusal) return null
  if (!plan) throw new Error('a revert was not planned')
  return plan
}

/** Returns the columns that the change sets, besides the stamps. */
export function givenBy(command: SingleCommand): GivenColumns {
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
    case 'restore':
      return givenColumns(command.changes ?? {})
    case 'revert': {
      const { changes = {}, profile } = planOf(command) ?? {}
      const { parentId, ...given } = givenColumns(changes)
      return {
        ...given,
        ...(parentId && { parentId: { ...parentId, as: 'was' } }),
        ...(profile && { profile: { as: 'is', value: JSON.stringify(profile) } }),
      }
    }
    case 'erase':
    case 'archive':
      return {}
  }
}

/**
 * Returns the fields that the caller named, in the order of the columns, so that their order in a request does not
 * matter.
 */
export function givenColumns(changes: CustomerChanges): GivenColumns {
  const { externalId, timezone, parent, metadata, integrations, profile, status } = changes
  const given: GivenColumns = {}
  const give = (column: CustomerColumn, value: unknown, as: Given['as'] = 'is') => {
    given[column] = { as, value }
  }
  for (const field of OPTIONAL_TEXT_FIELDS) if (changes[field] !== undefined) give(field, changes[field])
  if (changes.email !== undefined) give('emailAscii', changes.email && asciiEmail(changes.email))
  if (externalId !== undefined) give('externalId', externalId)
  const folded = foldsOf(changes)
  if (folded !== null) give('folded', folded, 'merged')
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

const TEXTS = ['externalId', ...OPTIONAL_TEXT_FIELDS] as const

/** Returns what a change of texts merges into the column `folded`; null if it sets no text. */
export function foldsOf(changes: Pick<CustomerChanges, 'externalId' | OptionalTextField>): string | null {
  const texts: Record<string, string | null | undefined> = {}
  for (const name of TEXTS) if (changes[name] !== undefined) texts[CUSTOMER_FIELDS[name].column] = changes[name]
  return foldedPatch(texts, ownWords(changes))
}
