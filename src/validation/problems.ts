/**
 * Converts zod's issues to problems that a caller can act on: the JSON field, what is wrong, how to fix it. A schema
 * that has a better fix passes it in the issue: `ctx.addIssue({code: 'custom', message, params: {fix}})`.
 */
import * as z from 'zod'
import type { InputProblem } from '../registry/errors.ts'
import { nearestHint, nearestName } from './nearest.ts'

const PROBLEMS_MAX = 20

/** Options of `safeParse`, so that a problem of a closed list can name the word that is nearest to what was sent. */
export const WITH_INPUT = { reportInput: true } as const

/** A checked value and its schema. With it a problem names the field that the caller probably meant. */
interface Checked {
  schema: z.ZodType
  value: unknown
}

export function problemsOf(error: z.core.$ZodError, checked?: Checked): InputProblem[] {
  return error.issues.flatMap((issue) => problemsOfIssue(issue, issue.path, checked)).slice(0, PROBLEMS_MAX)
}

/** Returns the fields of `value` that are not in `schema`, at every level of nested objects. */
export function unknownFields(value: unknown, schema: z.ZodType, path: PropertyKey[] = []): InputProblem[] {
  if (Array.isArray(value)) {
    const element = elementSchemaOf(schema)
    return element ? value.flatMap((inner, at) => unknownFields(inner, element, [...path, at])) : []
  }
  if (typeof value !== 'object' || value === null) return []
  const each = entrySchemaOf(schema)
  if (each) return Object.entries(value).flatMap(([key, inner]) => unknownFields(inner, each, [...path, key]))
  const object = objectSchemaOf(schema, value)
  if (!object) return []
  return Object.entries(value).flatMap(([key, inner]) => {
    const known = Object.hasOwn(object.shape, key) ? object.shape[key] : undefined
    if (known) return unknownFields(inner, known as z.ZodType, [...path, key])
    // A loose object keeps all of its fields.
    if (object.def.catchall instanceof z.ZodUnknown) return []
    return unknownName([...path, key], 'is not a field of this request', Object.keys(object.shape))
  })
}

/** Returns the problem of a name that is none of those known at its place. */
export function unknownName(path: PropertyKey[], message: string, known: readonly string[]): InputProblem {
  const nearest = nearestName(String(path.at(-1)), known)
  const fix = nearest === null ? 'remove it or correct its name' : `send ${nearest}, or remove it`
  return { field: pathText(path), message: message + nearestHint(path.at(-1), known), fix }
}

/** Returns the fields of an object schema by their names. A schema that is no object has none. */
export function fieldsOf(schema: z.ZodType): Record<string, unknown> {
  return objectSchemaOf(schema, {})?.shape ?? {}
}

/** Returns the object schema at a path of the value, or null if there is none. */
function objectSchemaAt({ schema, value }: Checked, path: PropertyKey[]): z.ZodObject | null {
  const [key, ...rest] = path
  if (key === undefined) return objectSchemaOf(schema, typeof value === 'object' && value !== null ? value : {})
  const inner = typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined
  const own =
    elementSchemaOf(schema) ??
    entrySchemaOf(schema) ??
    (objectSchemaOf(schema, value as object)?.shape[String(key)] as z.ZodType | undefined)
  return own ? objectSchemaAt({ schema: own, value: inner }, rest) : null
}

/** Returns the unknown field beside a missing one that was probably meant as it, or null. */
function meantAs(path: PropertyKey[], checked: Checked | undefined): string | null {
  const parent = path.slice(0, -1)
  const object = checked && objectSchemaAt(checked, parent)
  const holder = parent.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | null)?.[key], checked?.value)
  if (!object || typeof holder !== 'object' || holder === null) return null
  const unknown = Object.keys(holder).filter((key) => !Object.hasOwn(object.shape, key))
  return unknown.find((key) => nearestName(key, Object.keys(object.shape)) === path.at(-1)) ?? null
}

function elementSchemaOf(schema: z.ZodType): z.ZodType | null {
  if (schema instanceof z.ZodArray) return schema.element as z.ZodType
  const inner = innerSchemaOf(schema)
  return inner && elementSchemaOf(inner)
}

/** Returns the schema of the values of an object with free keys; null for other schemas. */
function entrySchemaOf(schema: z.ZodType): z.ZodType | null {
  if (schema instanceof z.ZodRecord) return schema.valueType as z.ZodType
  const inner = innerSchemaOf(schema)
  return inner && entrySchemaOf(inner)
}

/** Returns the object schema that applies to the value, out of a union for example. */
function objectSchemaOf(schema: z.ZodType, value: object): z.ZodObject | null {
  if (schema instanceof z.ZodObject) return schema
  if (schema instanceof z.ZodDiscriminatedUnion) {
    const own = (schema.options as z.ZodType[]).find((option) => option.safeParse(value).success)
    return own ? objectSchemaOf(own, value) : null
  }
  if (schema instanceof z.ZodUnion) {
    const objects = (schema.options as z.ZodType[]).map((option) => objectSchemaOf(option, value))
    return objects.find((object) => object !== null) ?? null
  }
  const inner = innerSchemaOf(schema)
  return inner && objectSchemaOf(inner, value)
}

function innerSchemaOf(schema: z.ZodType): z.ZodType | null {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return schema.unwrap() as z.ZodType
  if (!(schema instanceof z.ZodPipe)) return null
  // Validation begins with `in`, unless that accepts anything or only converts the value.
  const acceptsAny = schema.in instanceof z.ZodUnknown || schema.in instanceof z.ZodTransform
  return (acceptsAny ? schema.out : schema.in) as z.ZodType
}

function problemsOfIssue(issue: z.core.$ZodIssue, path: PropertyKey[], checked?: Checked): InputProblem[] {
  const field = pathText(path)
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = Object.keys((checked && objectSchemaAt(checked, path)?.shape) ?? {})
      return issue.keys.map((key) => unknownName([...path, key], 'is not known here', known))
    }
    case 'invalid_type': {
      const fix = `send ${nameOfType(issue.expected)}`
      if (issue.input !== undefined || !issue.message.includes('undefined')) {
        return [{ field, message: `is not ${nameOfType(issue.expected)}`, fix }]
      }
      return [missing(path, checked, fix)]
    }
    case 'too_big':
      return [tooBig(field, issue)]
    case 'too_small':
      return [tooSmall(field, issue)]
    case 'invalid_value': {
      const values = issue.values.map(String).join(', ')
      if ('input' in issue && issue.input === undefined) return [missing(path, checked, `send one of ${values}`)]
      const hint = nearestHint(issue.input, issue.values.map(String))
      return [{ field, message: `is none of ${values}${hint}`, fix: `send one of ${values}` }]
    }
    case 'invalid_format':
      return [
        {
          field,
          message: `is not a valid ${nameOfFormat(issue.format)}`,
          fix: `send a valid ${nameOfFormat(issue.format)}`,
        },
      ]
    case 'invalid_union': {
      // The caller probably meant the alternative that matched furthest.
      const closest = issue.errors.toSorted((a, b) => depth(b) - depth(a))[0]
      if (!closest || closest.length === 0)
        return [{ field, message: issue.message, fix: 'see the reference for its forms' }]
      return closest.flatMap((inner) => problemsOfIssue(inner, [...path, ...inner.path], checked))
    }
    case 'custom': {
      const fix = typeof issue.params?.fix === 'string' ? issue.params.fix : 'correct it'
      return [{ field, message: issue.message, fix }]
    }
    case 'invalid_key':
      return [{ field, message: 'has a key that cannot be used', fix: 'correct the key' }]
    case 'not_multiple_of':
      return [{ field, message: `is not a multiple of ${issue.divisor}`, fix: `send a multiple of ${issue.divisor}` }]
    case 'invalid_element':
      return [{ field, message: 'holds an element that cannot be used', fix: 'correct the element' }]
  }
}

/** Returns the problem of a field that was not sent, or was sent under a name that is not known. */
function missing(path: PropertyKey[], checked: Checked | undefined, fix: string): InputProblem {
  const field = pathText(path)
  const sent = meantAs(path, checked)
  if (sent === null) return { field, message: 'is required', fix }
  return { field, message: `is required: you sent ${sent}`, fix: `send ${sent} as ${String(path.at(-1))}` }
}

function tooBig(field: string, { origin, maximum }: z.core.$ZodIssueTooBig): InputProblem {
  const unit = UNITS[origin]
  if (unit === undefined) return { field, message: `is over the maximum of ${maximum}`, fix: `send at most ${maximum}` }
  return { field, message: `has more than ${maximum} ${unit}`, fix: `send at most ${maximum}` }
}

function tooSmall(field: string, { origin, minimum }: z.core.$ZodIssueTooSmall): InputProblem {
  const unit = UNITS[origin]
  if (unit === undefined)
    return { field, message: `is under the minimum of ${minimum}`, fix: `send at least ${minimum}` }
  const message = minimum === 1 ? 'is empty' : `has fewer than ${minimum} ${unit}`
  return { field, message, fix: `send at least ${minimum} of its ${unit}` }
}

/** The parts that the size of a value counts. A number has a size of its own. */
const UNITS: Record<string, string | undefined> = { string: 'characters', array: 'entries', set: 'entries' }

function depth(issues: z.core.$ZodIssue[]): number {
  return issues.reduce((deepest, issue) => Math.max(deepest, issue.path.length), 0)
}

function pathText(path: PropertyKey[]): string {
  return path.map(String).join('.')
}

function nameOfType(type: string): string {
  if (type === 'int') return 'a whole number'
  if (type === 'record') return 'an object'
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`
}

function nameOfFormat(format: string): string {
  const names: Record<string, string> = {
    email: 'e-mail address',
    datetime: 'ISO 8601 time',
    uuid: 'UUID',
    regex: 'value',
  }
  return names[format] ?? format
}
