/**
 * `npm run openapi:check` names everything in the document that has no description or no true example, and where to write it,
 * and what generators of clients could not read.
 * The committed document has none of it. Each case breaks a copy of it in one place.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { documentationProblems } from '../../../openapi/check.ts'
import type { Json } from '../../../openapi/json-schema.ts'

const TEXT = readFileSync('public/openapi.json', 'utf8')

function problemsAfter(change: (document: Json) => void): string[] {
  const document = JSON.parse(TEXT)
  change(document)
  return documentationProblems(document)
}

const PATH = '/v1/customers/{id}'
const pathParameter = (paths: Json) => paths[PATH].get.parameters.find((parameter: Json) => parameter.in === 'path')
const listOf = (document: Json) => document.paths['/v1/customers'].get
const parameterOf = (document: Json, name: string) => listOf(document).parameters.find((one: Json) => one.name === name)
const fieldOf = (document: Json) => document.components.schemas.V1CustomerCreate.properties.email

const CASES: [string, (document: Json) => void, string][] = [
  [
    'an operation without a description',
    (document) => delete listOf(document).description,
    'GET /v1/customers: the operation has no description: write it in openapi/v1/customers.ts',
  ],
  [
    'a parameter without a description',
    (document) => delete parameterOf(document, 'email').description,
    'GET /v1/customers: the query parameter email has no description: write it in openapi/v1/customers.ts',
  ],
  [
    'a parameter without an example',
    (document) => delete parameterOf(document, 'email').example,
    'GET /v1/customers: the query parameter email has no example: write it in openapi/v1/customers.ts',
  ],
  [
    'a header without a description',
    (document) => delete document.components.parameters.prefer.description,
    'GET /v1/customers: the header parameter prefer has no description: write it in openapi/parts.ts',
  ],
  [
    'two parameters with one name in different places',
    ({ paths }) =>
      paths['/v1/customers/{id}'].get.parameters.push({
        ...{ in: 'query', name: 'id', description: 'x', example: 'x', schema: { type: 'string' } },
      }),
    'GET /v1/customers/{id}: two parameters have the name id, which clients generated from it cannot express',
  ],
  [
    'an enum value that is empty',
    ({ components: { schemas } }) => schemas.V1CustomerCreate.properties.status.enum.push(''),
    'V1CustomerCreate: the field status has an empty enum value, which clients generated from it cannot express',
  ],
  [
    'a field without a description',
    (document) => delete fieldOf(document).description,
    'V1CustomerCreate: the field email has no description: write it in openapi/fields/',
  ],
  [
    'a field without an example',
    (document) => delete fieldOf(document).examples,
    'V1CustomerCreate: the field email has no example: write it in openapi/fields/',
  ],
  [
    'an example of another type',
    (document) => Object.assign(fieldOf(document), { examples: [7] }),
    'V1CustomerCreate: the example of the field email does not match its schema (#: Instance type "number" is invalid. Expected "string", "null".): change it in openapi/fields/',
  ],
  [
    'a body with a field that its schema lacks',
    (document) =>
      Object.assign(document.paths['/v1/customers'].post.requestBody.content['application/json'].example, {
        nickname: 'x',
      }),
    'POST /v1/customers: the example of the request body (application/json) does not match its schema',
  ],
  [
    'a response without a description',
    ({ paths }) => Object.assign(paths['/readyz'].get.responses['200'], { description: ' ' }),
    'GET /readyz: the response 200 has no description: write it in openapi/document.ts',
  ],
  [
    'a response without an example',
    ({ paths }) => delete paths['/readyz'].get.responses['200'].content['application/json'].example,
    'GET /readyz: the response 200 (application/json) has no example: write it in openapi/document.ts',
  ],
  [
    'an operationId that two operations have',
    (document) => Object.assign(listOf(document), { operationId: 'createCustomer' }),
    'POST /v1/customers: another operation has the operationId createCustomer',
  ],
  [
    'an operationId that is no name in a program',
    (document) => Object.assign(document.webhooks['customer.created'].post, { operationId: 'on.customer.created' }),
    'webhook customer.created: the operationId on.customer.created is not in camelCase',
  ],
  [
    'a tag that begins with a change',
    ({ paths }) => (paths['/admin/customers'].get.tags = ['Service']),
    'the tag Tenants (admin) begins with POST /admin/customers: begin with a GET, because a reader tries the first operation',
  ],
  [
    'a reference that leads to nothing',
    ({ paths }) => (paths[PATH].get.responses[200] = { $ref: '#/components/responses/Nothing' }),
    '#/components/responses/Nothing leads to nothing',
  ],
  [
    'a schema that nothing refers to',
    ({ components }) => (components.schemas.Spare = { type: 'string', description: 'x' }),
    '#/components/schemas/Spare is not used',
  ],
  [
    'a credential that nothing names',
    ({ components }) => (components.securitySchemes.spare = { description: 'x' }),
    '#/components/securitySchemes/spare is not used',
  ],
  [
    'an operation without an id',
    ({ paths }) => delete paths[PATH].get.operationId,
    `GET ${PATH}: the operationId  is not in camelCase`,
  ],
  [
    'an operation without a summary',
    ({ paths }) => delete paths[PATH].get.summary,
    `GET ${PATH}: the operation has no summary: write it in openapi/v1/customers.ts`,
  ],
  [
    'an operation with an unknown tag',
    ({ paths }) => (paths[PATH].get.tags = ['Spare']),
    `GET ${PATH}: its tag is not in the list of tags`,
  ],
  [
    'an operation without a tag',
    ({ paths }) => delete paths[PATH].get.tags,
    `GET ${PATH}: its tag is not in the list of tags`,
  ],
  [
    'a path with another parameter',
    ({ paths }) => (paths['/v1/customers/{other}'] = { get: paths[PATH].get }),
    'GET /v1/customers/{other}: does not declare exactly the parameters of its path',
  ],
  [
    'a path parameter that is not required',
    ({ paths }) => (pathParameter(paths).required = false),
    `GET ${PATH}: has a path parameter that is not required`,
  ],
  [
    'a parameter without a schema',
    ({ paths }) => delete pathParameter(paths).schema,
    `GET ${PATH}: has a parameter without a schema`,
  ],
  [
    'two parameters with one name in one place',
    ({ paths }) =>
      paths[PATH].get.parameters.push({ in: 'query', name: 'expand', description: 'x', example: 'x', schema: {} }),
    `GET ${PATH}: two parameters have the name expand, which clients generated from it cannot express`,
  ],
  [
    'an operation that never succeeds',
    ({ paths }) => (paths[PATH].get.responses = { 404: { description: 'x' } }),
    `GET ${PATH}: has no response for success`,
  ],
  [
    'an operation that never refuses',
    ({ paths }) => (paths[PATH].get.responses = { 200: { description: 'x' } }),
    `GET ${PATH}: has no 4xx response`,
  ],
  [
    'an unknown credential',
    ({ paths }) => (paths[PATH].get.security = [{ spare: [] }]),
    `GET ${PATH}: names an unknown security scheme`,
  ],
]

describe('the check of the OpenAPI document', () => {
  it('finds nothing in the committed document', () => {
    expect(documentationProblems(JSON.parse(TEXT))).toEqual([])
  })

  it.each(CASES)('finds %s', (_case, change, problem) => {
    const problems = problemsAfter(change)
    expect(problems.filter((one) => one.startsWith(problem))).not.toEqual([])
  })

  it('finds a description of a field that no schema has', () => {
    const problems = problemsAfter(({ components: { schemas } }) => delete schemas.V1Erasure.properties.rows_total)
    expect(problems).toContain(
      'V1Erasure.rows_total: openapi/fields/ describes it, but the document has no such schema or field: delete it there',
    )
  })
})
