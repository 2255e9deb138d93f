/**
 * The rules of the OpenAPI document: everything in it is described and has an example, every example has the form of its
 * schema, and generators can make a client of it. `npm run openapi:check` prints what `documentationProblems` returns.
 */
import { unusedDocs } from './describe.ts'
import { type Json, resolved, schemaChecker } from './json-schema.ts'
import { referenceProblems, structureProblems } from './lint.ts'

const METHODS = ['get', 'put', 'post', 'patch', 'delete'] as const
const OPERATION_ID = /^[a-z][A-Za-z0-9]*$/
/** The place of the texts, by the tag of the operation. */
const HOMES: Record<string, string> = {
  'Customers (v1)': 'openapi/v1/customers.ts',
  Events: 'openapi/v1/events.ts',
  Webhooks: 'openapi/v1/webhooks.ts',
  Onboarding: 'openapi/v1/onboarding.ts',
  Tenant: 'openapi/v1/tenant.ts',
  'Customers (FlatPeak)': 'openapi/flatpeak.ts',
  'Login (FlatPeak)': 'openapi/flatpeak.ts',
  'Tenants (admin)': 'openapi/admin.ts',
  Service: 'openapi/document.ts',
}

interface Place {
  /** The operation, response or schema, such as `GET /v1/customers`. */
  at: string
  /** The file to write the missing text in. */
  home: string
}

/** Returns what is missing or wrong, each with its place and what to write where. Empty if the document is complete. */
export function documentationProblems(document: Json): string[] {
  const structure = [
    ...referenceProblems(document),
    ...servedOperations(document).flatMap(({ name, path, operation }) =>
      structureProblems(document, path, operation).map((problem) => `${name}: ${problem}`),
    ),
  ]
  return structure.length > 0 ? structure : contentProblems(document)
}

/** Returns the problems of texts, examples and names in a document whose structure is sound. */
function contentProblems(document: Json): string[] {
  const differences = schemaChecker(document)
  const problems: string[] = []

  const describe = ({ at, home }: Place, what: string, part: Json) => {
    if (!part?.description?.trim()) problems.push(`${at}: ${what} has no description: write it in ${home}`)
  }
  const exemplify = ({ at, home }: Place, what: string, schema: Json, examples: unknown[]) => {
    if (examples.length === 0) problems.push(`${at}: ${what} has no example: write it in ${home}`)
    for (const example of examples) {
      for (const difference of differences(schema, example)) {
        problems.push(`${at}: the example of ${what} does not match its schema (${difference}): change it in ${home}`)
      }
    }
  }

  function checkFields(place: Place, schema: Json, under = ''): void {
    if (typeof schema !== 'object' || schema === null) return
    for (const [name, field] of Object.entries<Json>(schema.properties ?? {})) {
      const what = `the field ${under}${name}`
      describe(place, what, field)
      exemplify(place, what, field, field.examples ?? [])
      if (field.enum?.includes('')) {
        problems.push(`${place.at}: ${what} has an empty enum value, which clients generated from it cannot express`)
      }
      checkFields(place, field, `${under}${name}.`)
    }
    for (const keyword of ['items', 'anyOf', 'oneOf', 'allOf', 'additionalProperties']) {
      for (const inner of [schema[keyword] ?? []].flat()) checkFields(place, inner, under)
    }
  }

  function checkBodies(place: Place, what: string, content: Json): void {
    for (const [type, media] of Object.entries<Json>(content)) {
      const inline = media.schema.$ref === undefined && JSON.stringify(media.schema).includes('"properties"')
      if (inline)
        problems.push(`${place.at}: ${what} has no name: give its schema an id, and describe it in openapi/fields/`)
      exemplify(place, `${what} (${type})`, media.schema, examplesOf(media))
    }
  }

  function checkResponse(place: Place, status: string, response: Json): void {
    const what = `the response ${status}`
    describe(place, what, response)
    for (const [name, header] of Object.entries<Json>(response.headers ?? {})) {
      const shown = resolved(document, header)
      describe({ ...place, home: 'openapi/parts.ts' }, `the response header ${name}`, shown)
      exemplify({ ...place, home: 'openapi/parts.ts' }, `the response header ${name}`, shown.schema, examplesOf(shown))
    }
    checkBodies(place, what, response.content ?? {})
  }

  function checkParameters(place: Place, parameters: Json[]): void {
    const names = parameters.map(({ name }) => name.toLowerCase())
    for (const name of new Set(names.filter((name, at) => names.indexOf(name) < at))) {
      problems.push(`${place.at}: two parameters have the name ${name}, which clients generated from it cannot express`)
    }
    for (const parameter of parameters) {
      const home = parameter.in === 'header' ? 'openapi/parts.ts' : place.home
      const what = `the ${parameter.in} parameter ${parameter.name}`
      describe({ ...place, home }, what, parameter)
      exemplify({ ...place, home }, what, parameter.schema, [
        ...examplesOf(parameter),
        ...(parameter.schema.examples ?? []),
      ])
    }
  }

  function checkOperation(at: string, operation: Json): void {
    const place = { at, home: HOMES[operation.tags?.[0]] ?? 'openapi/' }
    if (!operation.summary) problems.push(`${at}: the operation has no summary: write it in ${place.home}`)
    describe(place, 'the operation', operation)
    checkParameters(
      place,
      (operation.parameters ?? []).map((part: Json) => resolved(document, part)),
    )
    if (operation.requestBody) checkBodies(place, 'the request body', operation.requestBody.content)
    for (const [status, response] of Object.entries<Json>(operation.responses)) {
      checkResponse(place, status, resolved(document, response))
    }
  }

  const operations = operationsOf(document)
  for (const { name, operation } of operations) checkOperation(name, operation)
  for (const [name, schema] of Object.entries<Json>(document.components.schemas)) {
    const place = { at: name, home: 'openapi/fields/' }
    describe(place, 'the schema', schema)
    checkFields(place, schema)
  }
  for (const [name, scheme] of Object.entries<Json>(document.components.securitySchemes)) {
    describe({ at: name, home: 'openapi/parts.ts' }, 'the credential', scheme)
  }
  problems.push(...namingProblems(document, operations))
  for (const name of unusedDocs(document)) {
    problems.push(
      `${name}: openapi/fields/ describes it, but the document has no such schema or field: delete it there`,
    )
  }
  return problems
}

interface NamedOperation {
  /** `GET /v1/customers`, or `webhook customer.created`. */
  name: string
  operation: Json
}

function servedOperations(document: Json): (NamedOperation & { path: string })[] {
  return Object.entries<Json>(document.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({
      name: `${method.toUpperCase()} ${path}`,
      path,
      operation: item[method],
    })),
  )
}

/** Returns every operation of the document, the sent webhooks included. */
export function operationsOf(document: Json): NamedOperation[] {
  const sent = Object.entries<Json>(document.webhooks).map(([type, item]) => ({
    name: `webhook ${type}`,
    operation: item.post,
  }))
  return [...servedOperations(document), ...sent]
}

/** The operation ids are names in generated clients. The first operation of a tag is the one that a reader tries. */
function namingProblems(document: Json, operations: NamedOperation[]): string[] {
  const seen = new Set<string>()
  const ids = operations.flatMap(({ name, operation: { operationId = '' } }) => {
    const problem = !OPERATION_ID.test(operationId)
      ? `${name}: the operationId ${operationId} is not in camelCase`
      : seen.has(operationId) && `${name}: another operation has the operationId ${operationId}`
    seen.add(operationId)
    return problem ? [problem] : []
  })
  const tags = document.tags.flatMap(({ name, description }: Json) => {
    const first = operations.find(({ operation }) => operation.tags?.includes(name))
    return [
      ...(description ? [] : [`the tag ${name} has no description: write it in ${HOMES[name] ?? 'openapi/'}`]),
      ...(first?.name.startsWith('GET ')
        ? []
        : [`the tag ${name} begins with ${first?.name}: begin with a GET, because a reader tries the first operation`]),
    ]
  })
  const known = new Set(document.tags.map(({ name }: Json) => name))
  const unknown = operations.flatMap(({ name, operation }) =>
    operation.tags?.length > 0 && operation.tags.every((tag: string) => known.has(tag))
      ? []
      : [`${name}: its tag is not in the list of tags`],
  )
  return [...ids, ...tags, ...unknown]
}

function examplesOf({ example, examples }: Json): unknown[] {
  return [
    ...(example === undefined ? [] : [example]),
    ...(Array.isArray(examples) ? examples : Object.values<Json>(examples ?? {}).map(({ value }) => value)),
  ]
}
