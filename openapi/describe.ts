/**
 * Gives every schema of the OpenAPI document, and every field of them, its description and its example from the tables
 * in `fields/`. The Worker does not import this file.
 */
import { adminSchemas } from './fields/admin.ts'
import { customerSchemas } from './fields/customers.ts'
import { eventSchemas } from './fields/events.ts'
import type { FieldDoc, FieldDocs, SchemaDoc } from './fields/field.ts'
import { flatpeakSchemas } from './fields/flatpeak.ts'
import { onboardingSchemas } from './fields/onboarding.ts'
import { operatorSchemas } from './fields/operators.ts'
import { sharedSchemas } from './fields/shared.ts'
import { webhookSchemas } from './fields/webhooks.ts'
import type { Json } from './json-schema.ts'

/** The documentation of each component, by its name. */
export const SCHEMAS: Record<string, SchemaDoc> = {
  ...customerSchemas,
  ...eventSchemas,
  ...webhookSchemas,
  ...onboardingSchemas,
  ...flatpeakSchemas,
  ...adminSchemas,
  ...operatorSchemas,
  ...sharedSchemas,
}

/** The keywords whose value is a schema, or a list of schemas, about the same fields. */
const SAME_FIELDS = ['items', 'anyOf', 'oneOf', 'allOf', 'additionalProperties'] as const

/** Describes the components of the document. Changes the document in place. */
export function describeSchemas(document: Json): void {
  const { schemas } = document.components
  for (const [name, schema] of Object.entries<Json>(schemas)) {
    const doc = SCHEMAS[name]
    if (!doc) continue
    schema.description ??= doc.description
    if (doc.example !== undefined) schema.examples = [doc.example]
    describeFields(schema, doc.fields)
  }
  for (const schema of Object.values<Json>(schemas)) addExamples(schema, schemas)
}

/** Returns the tables' entries that describe no schema or field of the document. */
export function unusedDocs(document: Json): string[] {
  const { schemas } = document.components
  const used = new Set<FieldDoc>()
  for (const [name, { fields }] of Object.entries(SCHEMAS)) {
    if (schemas[name]) markUsed(schemas[name], fields, used)
  }
  const missing = Object.keys(SCHEMAS).filter((name) => !schemas[name])
  const unused = Object.entries(SCHEMAS).flatMap(([name, { fields }]) =>
    schemas[name] ? unusedFields(name, fields, used) : [],
  )
  return [...missing, ...new Set(unused)]
}

function unusedFields(at: string, fields: FieldDocs, used: Set<FieldDoc>): string[] {
  return Object.entries(fields).flatMap(([name, doc]) =>
    used.has(doc) ? unusedFields(`${at}.${name}`, doc.fields ?? {}, used) : [`${at}.${name}`],
  )
}

function describeFields(schema: Json, fields: FieldDocs): void {
  eachField(schema, fields, (field, doc) => {
    field.description = doc.description
    if (doc.example !== undefined) field.examples = [doc.example]
    describeFields(field, doc.fields ?? {})
  })
}

function markUsed(schema: Json, fields: FieldDocs, used: Set<FieldDoc>): void {
  eachField(schema, fields, (field, doc) => {
    used.add(doc)
    markUsed(field, doc.fields ?? {}, used)
  })
}

/** Calls `work` with each field of the schema that the table describes. Does not follow references. */
function eachField(schema: Json, fields: FieldDocs, work: (field: Json, doc: FieldDoc) => void): void {
  for (const [name, field] of Object.entries<Json>(schema.properties ?? {})) {
    const doc = fields[name]
    if (doc) work(field, doc)
  }
  for (const keyword of SAME_FIELDS) {
    for (const inner of [schema[keyword] ?? []].flat()) eachField(inner, fields, work)
  }
}

/** Gives an example to each field that has none but whose schema says one: a constant, a reference, a list, an object. */
function addExamples(schema: Json, schemas: Json): void {
  for (const field of Object.values<Json>(schema.properties ?? {})) {
    const example = exampleOf(field, schemas)
    if (example !== undefined) field.examples ??= [example]
    addExamples(field, schemas)
  }
  for (const keyword of SAME_FIELDS) {
    for (const inner of [schema[keyword] ?? []].flat()) addExamples(inner, schemas)
  }
}

function exampleOf(schema: Json, schemas: Json): unknown {
  if (schema.const !== undefined) return schema.const
  if (schema.type === 'null') return null
  if (schema.examples) return schema.examples[0]
  if (schema.$ref) return exampleOf(schemas[schema.$ref.split('/').at(-1)], schemas)
  if ([schema.type].flat().includes('array')) {
    const item = exampleOf(schema.items, schemas)
    return item === undefined ? undefined : [item]
  }
  if (schema.properties) {
    const entries = Object.entries(schema.properties).map(([name, field]) => [name, exampleOf(field, schemas)])
    return Object.fromEntries(entries.filter(([, example]) => example !== undefined))
  }
  const [first] = schema.oneOf ?? schema.anyOf ?? []
  return first && exampleOf(first, schemas)
}
