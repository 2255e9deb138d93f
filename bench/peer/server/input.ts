/** The bodies that the server takes: JSON Schema, which Fastify compiles, with Roster's own rules for each kind of text. */
import { readCountry } from '../../../src/validation/countries.ts'
import { emailFault } from '../../../src/validation/email.ts'
import { externalIdFault } from '../../../src/validation/external-id.ts'
import { readTimeZone } from '../../../src/validation/time-zones.ts'
import type { Changes } from './customers.ts'

/** The formats of the schemas, for Ajv. `""` clears a field. */
export const FORMATS = {
  email: (text: string) => text === '' || emailFault(text) === null,
  country: (text: string) => text === '' || typeof readCountry(text) === 'string',
  timezone: (text: string) => text === '' || typeof readTimeZone(text) === 'string',
  'external-id': (text: string) => externalIdFault(text) === null,
}

const text = (maxLength: number) => ({ type: 'string', nullable: true, maxLength })

const FIELDS = {
  external_id: { type: 'string', format: 'external-id' },
  name: text(255),
  email: { type: 'string', nullable: true, format: 'email' },
  contact: text(20),
  address_line1: text(255),
  address_line2: text(255),
  address_city: text(100),
  address_state: text(100),
  address_postal_code: text(20),
  address_country: { type: 'string', nullable: true, format: 'country' },
  timezone: { type: 'string', nullable: true, format: 'timezone' },
  metadata: {
    type: 'object',
    nullable: true,
    maxProperties: 50,
    propertyNames: { minLength: 1, maxLength: 40 },
    additionalProperties: { type: 'string', maxLength: 500 },
  },
}

/** Unknown fields are ignored, as Roster does. */
export const UPDATE = { type: 'object', properties: FIELDS, additionalProperties: false }
export const CREATE = { ...UPDATE, required: ['external_id'] }

type Input = { [Name in keyof typeof FIELDS]?: unknown }

/** Returns what a valid body changes. An absent field is kept, null and `""` clear it. */
export function changesOf(input: Input): Changes {
  const changes: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(input)) {
    if (name === 'metadata') changes.metadata = value ?? {}
    else if (name === 'timezone') changes.timezone = value ? readTimeZone(value as string) : 'UTC'
    else if (name === 'address_country') changes.address_country = value ? readCountry(value as string) : null
    else changes[name] = value === '' ? null : value
  }
  return changes as Changes
}
