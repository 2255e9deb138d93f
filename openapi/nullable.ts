/**
 * Makes the OpenAPI document shorter: `anyOf` of a simple schema and null becomes one schema with two types. Viewers show
 * it as one field. The Worker does not import this file.
 */
import type { Json } from './json-schema.ts'

/** Joins each such pair. Changes the document in place. */
export function joinNull(part: Json): void {
  if (typeof part !== 'object' || part === null) return
  for (const inner of Object.values(part)) joinNull(inner)
  const [first, second, third] = Array.isArray(part.anyOf) ? part.anyOf : []
  const isPair = third === undefined && second?.type === 'null' && Object.keys(second).length === 1
  if (!isPair || typeof first?.type !== 'string' || first.const !== undefined) return
  delete part.anyOf
  const own = { ...part }
  Object.assign(part, first, own, { type: [first.type, 'null'] }, first.enum && { enum: [...first.enum, null] })
}
