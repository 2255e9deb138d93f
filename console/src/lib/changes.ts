/**
 * Tells the changes of the audit and of events in sentences: "City Köln → Bonn, by billing, ticket 4711". Pure.
 */
import { clockTime, date } from './format.ts'

export interface Change {
  field: string
  before: unknown
  after: unknown
}

/** A change as the audit has it, with what a sentence needs of it. */
export interface Recorded {
  type: string
  actor: string
  reason: string | null
  changes: readonly Change[]
  before: Record<string, unknown> | null
  after: Record<string, unknown> | null
}

const SHOWN_LENGTH_MAX = 48
/** The changes that a sentence names. The others are counted. */
const NAMED_MAX = 2
const NONE = 'none'

/** Labels that the name of the field does not give. */
const LABELS: Record<string, string> = {
  external_id: 'External id',
  contact: 'Phone',
  contact_email: 'Contact address',
  email: 'E-mail address',
  address_line1: 'Street',
  address_line2: 'Street, second line',
  address_city: 'City',
  address_state: 'State',
  address_postal_code: 'Postal code',
  address_country: 'Country',
  timezone: 'Time zone',
  company_name: 'Company',
  parent_customer_id: 'Parent',
  integration_entity_mapping: 'Integrations',
  event_types: 'Events',
  url: 'URL',
}

/** Changes that have a word of their own. */
const NAMED: Record<string, string> = {
  'status active suspended': 'Suspended',
  'status suspended active': 'Reactivated',
  'status draft published': 'Published',
  'enabled true false': 'Disabled',
  'enabled false true': 'Enabled',
}

const TITLES: Record<string, string> = {
  'tenant.created': 'Tenant created',
  'tenant.deleted': 'Tenant deleted',
  'key.created': 'Key created',
  'key.revoked': 'Key revoked',
  'key.rotated': 'Key rotated',
  'webhook.endpoint.created': 'Webhook endpoint created',
  'webhook.endpoint.secret_rotated': 'Secret of a webhook endpoint rotated',
  'onboarding.settings.replaced': 'Onboarding settings replaced',
  'onboarding.secret_rotated': 'Secret of the onboarding rotated',
  'webhook.endpoint.deleted': 'Webhook endpoint deleted',
  'webhook.endpoint.disabled': 'Webhook endpoint disabled by Roster',
  'customer.created': 'Customer created',
  'customer.archived': 'Customer archived',
  'customer.restored': 'Customer restored',
  'customer.merged': 'Another customer merged into this one',
  'customer.unmerged': 'A merge into this one taken back',
  'customer.erased': 'Customer erased',
  'customer.onboarding.completed': 'Onboarding completed',
  'customer.onboarding.failed': 'Onboarding failed',
}

/** Returns the name of a field as a person says it: `City` for `address_city`, `Metadata plan` for `metadata.plan`. */
export function fieldLabel(field: string): string {
  // The audit writes the parts of an address as `address.city`.
  const name = field.replaceAll('.', '_')
  const known = Object.hasOwn(LABELS, name) ? LABELS[name] : undefined
  if (known !== undefined) return known
  if (field.startsWith('limits.')) return fieldLabel(field.slice('limits.'.length))
  if (field.startsWith('metadata.')) return `Metadata ${field.slice('metadata.'.length)}`
  const words = field.replaceAll('_', ' ').replaceAll('.', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** Returns a value as text on one line. `none` is a value that is not set. */
export function shownValue(value: unknown): string {
  if (value === null || value === undefined || value === '') return NONE
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (typeof value === 'number') return cut(value.toLocaleString('en-GB'))
  if (typeof value === 'string') return isTime(value) ? `${date(value)} ${clockTime(value)}` : cut(value)
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) {
    return value.length === 0 ? NONE : cut(value.join(', '))
  }
  return Object.keys(value).length === 0 ? NONE : cut(JSON.stringify(value))
}

function isTime(text: string): boolean {
  return /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(text)
}

function cut(text: string): string {
  const characters = [...text.replaceAll(/\s+/g, ' ')]
  return characters.length > SHOWN_LENGTH_MAX
    ? `${characters.slice(0, SHOWN_LENGTH_MAX).join('')}…`
    : characters.join('')
}

/** Returns one change as text, such as `City Köln → Bonn` or `Suspended`. */
export function changeText({ field, before, after }: Change): string {
  const named = NAMED[`${field} ${before} ${after}`]
  return named ?? `${fieldLabel(field)} ${shownValue(before)} → ${shownValue(after)}`
}

/** Returns what happened, without who and why: `Tier starter → scale and 2 more`. */
export function whatHappened({ type, changes, before, after }: Recorded): string {
  const title = TITLES[type]
  const name = nameIn(after) ?? nameIn(before)
  if (title !== undefined) return name === null ? title : `${title}: ${name}`
  if (changes.length > 0) {
    const named = changes.slice(0, NAMED_MAX).map(changeText).join(', ')
    const more = changes.length - NAMED_MAX
    return more > 0 ? `${named} and ${more} more` : named
  }
  return titleOf(type)
}

/** Returns a type that has no title as one: `Operator key created` for `operator.key.created`. */
function titleOf(type: string): string {
  const words = type.replaceAll(/[._]/g, ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

function nameIn(document: Record<string, unknown> | null): string | null {
  for (const name of ['company_name', 'name', 'external_id', 'url']) {
    const value = document?.[name]
    if (typeof value === 'string' && value !== '') return cut(value)
  }
  return null
}

/** Returns the whole sentence: what, by whom and why. */
export function sentenceOf(recorded: Recorded): string {
  const reason = recorded.reason === null || recorded.reason === '' ? '' : `, ${cut(recorded.reason)}`
  return `${whatHappened(recorded)}, by ${recorded.actor}${reason}`
}

/** The part of an event that says what it changed. */
export interface EventData {
  customer: object | null
  previous_attributes: Record<string, unknown>
}

/** Returns the changes of an event of the v1 API, each key of an object as a change of its own. */
export function changesOfEvent({ customer, previous_attributes: previous }: EventData): Change[] {
  const now = (customer ?? {}) as Record<string, unknown>
  return Object.entries(previous).flatMap(([field, before]) => {
    const after = now[field]
    if (!isObject(before) || !isObject(after)) return [{ field, before, after: after ?? null }]
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    return keys
      .map((key) => ({ field: `${field}.${key}`, before: before[key] ?? null, after: after[key] ?? null }))
      .filter((change) => JSON.stringify(change.before) !== JSON.stringify(change.after))
  })
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
