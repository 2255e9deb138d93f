/**
 * The words of the reference about one field: a description and an example. The tables in this folder give them to the
 * schemas, so that a field that several APIs share is described once, and no description gets into the Worker.
 */

export interface FieldDoc {
  description: string
  /** A value that the API takes or returns. Absent if the schema or the fields of the value say it. */
  example?: unknown
  /** The fields of the value, if it is an object or a list of objects. */
  fields?: FieldDocs
}
export type FieldDocs = { readonly [name: string]: FieldDoc }

export interface SchemaDoc {
  description: string
  /** A whole value. Absent if the examples of the fields together are one. */
  example?: unknown
  fields: FieldDocs
}

export function field(description: string, example?: unknown): FieldDoc {
  return { description, ...(example !== undefined && { example }) }
}

/** Describes an object, or a list of objects. Its example consists of the examples of its fields unless one is given. */
export function group(description: string, fields: FieldDocs, example?: unknown): FieldDoc {
  return { ...field(description, example), fields }
}
