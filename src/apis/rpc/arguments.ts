/** Reads the arguments of a call and the props of its binding. Whatever a caller sends, the problem is named. */
import type { z } from 'zod'
import { invalidInput, notFound } from '../../registry/errors.ts'
import { namingParent } from '../../registry/parent-failures.ts'
import type { Written } from '../../registry/ports.ts'
import type { Precondition } from '../../registry/precondition.ts'
import { isId } from '../../shared/ids.ts'
import { isExternalId } from '../../validation/external-id.ts'
import { problemsOf, WITH_INPUT } from '../../validation/problems.ts'
import { unstorableString } from '../../validation/storable-text.ts'
import { parentFieldOf, toTarget } from './mapping.ts'
import { bindingProps, type CustomerTarget, customerTarget, type FieldsInput } from './schema.ts'

/** Throws one error that names every prop that is wrong. */
export function readProps(props: unknown): z.output<ReturnType<typeof bindingProps>> {
  const [schema, value] = [bindingProps(), props ?? {}]
  const { data, error } = schema.safeParse(value, WITH_INPUT)
  if (data) return data
  const problems = problemsOf(error, { schema, value })
  throw boundWrongly(problems.map(({ field, message, fix }) => `props.${field} ${message}: ${fix}`))
}

export function boundWrongly(problems: string[]): Error {
  return new Error(
    `Roster's Customers is bound wrongly, see [[services]] in your wrangler.toml: ${problems.join('; ')}`,
  )
}

/**
 * Returns an argument as its schema parses it. Throws `RegistryError` with `invalid_input`. A problem of the argument
 * as a whole has the argument's name as its field.
 */
export function argument<Schema extends z.ZodType>(
  name: string,
  schemaOf: () => Schema,
  value: unknown,
): z.output<Schema> {
  const schema = schemaOf()
  const { data, error, success } = schema.safeParse(value, WITH_INPUT)
  if (!success) {
    const problems = problemsOf(error, { schema, value })
    throw invalidInput(problems.map((problem) => ({ ...problem, field: problem.field || name })))
  }
  // A plain text is an id or external id. One that cannot be stored belongs to no customer, so it is `not_found`.
  const unstorable = typeof data === 'string' ? null : unstorableString(value)
  if (unstorable) throw invalidInput([unstorable])
  return data
}

/** Returns the id. Throws `not_found` without a read if no customer can have such an id. */
export function customerId(id: string): string {
  if (!isId('customer', id)) throw notFound('customer')
  return id
}

export function externalIdOf(text: string): string {
  if (!isExternalId(text)) throw notFound('customer')
  return text
}

export function targetOf(given: CustomerTarget) {
  const target = toTarget(argument('target', customerTarget, given))
  if (target.id === undefined) externalIdOf(target.externalId)
  else customerId(target.id)
  return target
}

/** Waits for the write. Adds to a failure about the parent the field in which the caller named the parent. */
export function named(input: FieldsInput, write: Promise<Written>): Promise<Written> {
  return namingParent(write, () => ({ field: parentFieldOf(input) }))
}

/** Returns the condition that the customer has the version; null for none. */
export function ifOn(version: number | undefined): Precondition | null {
  return version === undefined ? null : { versions: [version] }
}
