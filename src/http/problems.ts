/**
 * From zod's issues to problems a caller can act on: the JSON field, what is wrong, how to mend it. A schema that knows
 * better says so in the issue itself: `ctx.addIssue({code: 'custom', message, params: {fix}})`.
 */
import * as z from 'zod'
import type { InputProblem } from '../registry/failures.ts'

const PROBLEMS_MAX = 20

export function problemsOf(error: z.core.$ZodError): InputProblem[] {
  return error.issues.flatMap((issue) => problemsOfIssue(issue, issue.path)).slice(0, PROBLEMS_MAX)
}

/** Fields of `value` that `schema` does not know, at every level of nested objects. */
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
    // A loose object keeps whatever it is given.
    if (object.def.catchall instanceof z.ZodUnknown) return []
    return {
      field: pathText([...path, key]),
      message: 'is not a field of this request',
      fix: 'remove it or correct its name',
    }
  })
}

function elementSchemaOf(schema: z.ZodType): z.ZodType | null {
  if (schema instanceof z.ZodArray) return schema.element as z.ZodType
  const inner = innerSchemaOf(schema)
  return inner && elementSchemaOf(inner)
}

/** Of the values of an object whose keys are free. */
function entrySchemaOf(schema: z.ZodType): z.ZodType | null {
  if (schema instanceof z.ZodRecord) return schema.valueType as z.ZodType
  const inner = innerSchemaOf(schema)
  return inner && entrySchemaOf(inner)
}

/** Of several, the one that the value is of. */
function objectSchemaOf(schema: z.ZodType, value: object): z.ZodObject | null {
  if (schema instanceof z.ZodObject) return schema
  if (schema instanceof z.ZodDiscriminatedUnion) {
    const own = (schema.options as z.ZodType[]).find((option) => option.safeParse(value).success)
    return own ? objectSchemaOf(own, value) : null
  }
  const inner = innerSchemaOf(schema)
  return inner && objectSchemaOf(inner, value)
}

function innerSchemaOf(schema: z.ZodType): z.ZodType | null {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return schema.unwrap() as z.ZodType
  if (!(schema instanceof z.ZodPipe)) return null
  // What a schema looks at first, unless that takes anything.
  return (schema.in instanceof z.ZodUnknown ? schema.out : schema.in) as z.ZodType
}

function problemsOfIssue(issue: z.core.$ZodIssue, path: PropertyKey[]): InputProblem[] {
  const field = pathText(path)
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        field: pathText([...path, key]),
        message: 'is not known here',
        fix: 'remove it or correct its name',
      }))
    case 'invalid_type':
      return issue.input === undefined && issue.message.includes('undefined')
        ? [{ field, message: 'is required', fix: `send ${nameOfType(issue.expected)}` }]
        : [{ field, message: `is not ${nameOfType(issue.expected)}`, fix: `send ${nameOfType(issue.expected)}` }]
    case 'too_big':
      return [{ field, message: `is over the maximum of ${issue.maximum}`, fix: `stay within ${issue.maximum}` }]
    case 'too_small':
      return [{ field, message: `is under the minimum of ${issue.minimum}`, fix: `send at least ${issue.minimum}` }]
    case 'invalid_value': {
      const values = issue.values.map(String).join(', ')
      return [{ field, message: `is none of ${values}`, fix: `send one of ${values}` }]
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
      // The alternative that came closest is the one that was meant.
      const closest = issue.errors.toSorted((a, b) => depth(b) - depth(a))[0]
      if (!closest || closest.length === 0)
        return [{ field, message: issue.message, fix: 'see the reference for its forms' }]
      return closest.flatMap((inner) => problemsOfIssue(inner, [...path, ...inner.path]))
    }
    case 'custom': {
      const fix = typeof issue.params?.fix === 'string' ? issue.params.fix : 'correct it'
      return [{ field, message: issue.message, fix }]
    }
    case 'invalid_key':
      return [{ field, message: 'has a key that can not be used', fix: 'correct the key' }]
    case 'not_multiple_of':
      return [{ field, message: `is not a multiple of ${issue.divisor}`, fix: `send a multiple of ${issue.divisor}` }]
    case 'invalid_element':
      return [{ field, message: 'holds an element that can not be used', fix: 'correct the element' }]
  }
}

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
