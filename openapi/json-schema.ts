/**
 * Checks values against the schemas of the OpenAPI document. Used by `openapi/check.ts` for the examples, and by the
 * tests for real responses.
 */
import { type OutputUnit, type Schema, validate } from '@cfworker/json-schema'

// biome-ignore lint/suspicious/noExplicitAny: a document of many shapes, read by name
export type Json = any

const BASE = 'https://openapi.invalid/'

/** Returns a function that returns how a value differs from a schema of the document, as texts. */
export function schemaChecker(document: Json): (schema: Json, value: unknown) => string[] {
  const prepared = new Map<Json, Schema>()
  const lookup: Record<string, Schema> = Object.create(null)

  // The library would prepare the whole document, which takes a second.
  function prepare(schema: Json): Schema {
    const ready = closed(schema, (reference) => {
      const uri = `${BASE}${reference}`
      if (uri in lookup) return
      lookup[uri] = {}
      lookup[uri] = prepare(resolved(document, { $ref: reference }))
    }) as Schema
    prepared.set(schema, ready)
    return ready
  }

  return function problemsOf(schema, value) {
    const ready = prepared.get(schema) ?? prepare(schema)
    return validate(value, ready, '2020-12', lookup, false).errors.map(
      ({ instanceLocation, error }: OutputUnit) => `${instanceLocation}: ${error}`,
    )
  }
}

/** Returns a part of the document, or the part that it refers to: undefined if the reference leads to nothing. */
export function resolved(document: Json, part: Json): Json {
  const reference: string | undefined = part?.$ref
  if (reference === undefined) return part
  if (!reference.startsWith('#/')) return undefined
  return reference
    .slice(2)
    .split('/')
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((at, name) => at?.[name], document)
}

/**
 * Returns the schema so that an object has no further fields: the published schemas allow later ones, but a check must
 * see each of them. Leaves out examples, which the library would read as schemas. `onReference` gets each reference.
 */
function closed(part: Json, onReference: (reference: string) => void): Json {
  if (Array.isArray(part)) return part.map((inner) => closed(inner, onReference))
  if (typeof part !== 'object' || part === null) return part
  const copy: Json = {}
  for (const [name, inner] of Object.entries<Json>(part)) {
    if (name === 'properties') {
      copy.properties = Object.fromEntries(
        Object.entries(inner).map(([field, schema]) => [field, closed(schema, onReference)]),
      )
    } else if (name === '$ref') {
      onReference(inner)
      copy.$ref = `${BASE}${inner}`
    } else if (name !== 'example' && name !== 'examples' && name !== 'default') {
      copy[name] = closed(inner, onReference)
    }
  }
  const isObject = [part.type].flat().includes('object') && part.properties && part.additionalProperties === undefined
  return isObject ? { ...copy, additionalProperties: false } : copy
}
