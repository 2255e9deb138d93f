/**
 * The v1 door: `/v1/customers`, as FlexPrice's API has it. A read of one customer without a query string is the hot path of
 * the whole service: it parses nothing and sends a body that is ready.
 */
import { Hono } from 'hono'
import { answer, answerFound } from '../../http/answer.ts'
import { admitFirst } from '../../http/authenticate.ts'
import { jsonBody, optionalJsonBody } from '../../http/body.ts'
import { etagOf, isNotModified, versionFromIfMatch } from '../../http/conditional.ts'
import type { HttpContext, HttpEnv } from '../../http/door.ts'
import { idempotencyOf } from '../../http/idempotency.ts'
import { noQuery, readQuery, validJson } from '../../http/validate.ts'
import type { Customer } from '../../registry/customer.ts'
import { Refused } from '../../registry/failures.ts'
import {
  archiveCustomer,
  createCustomer,
  type Expansion,
  eraseCustomer,
  expandCustomer,
  expandCustomers,
  getCustomer,
  getCustomerByExternalId,
  listCustomers,
  restoreCustomer,
  updateCustomer,
  upsertCustomer,
} from '../../registry/operations.ts'
import type { Snapshot, Target } from '../../registry/ports.ts'
import type { Wiring } from '../../wiring.ts'
import { toV1 } from '../flexprice-customer.ts'
import { exportCustomers } from './export.ts'
import { importCustomers } from './import.ts'
import { type ListInput, listQueryString, searchBody } from './list-schema.ts'
import { toListRequest, toV1List } from './list-translate.ts'
import {
  type CustomerInput,
  createQueryString,
  customerCreate,
  customerUpdate,
  customerUpsert,
  isCustomerId,
  isExternalId,
  type OnboardingInput,
  readQueryString,
  targetQueryString,
} from './schema.ts'
import {
  etagParts,
  onboardingOf,
  parentFieldOf,
  toChanges,
  toMergePatch,
  toNewCustomer,
  toV1Erasure,
  toV1Expanded,
} from './translate.ts'

export function v1Customers(wiring: Wiring) {
  return new Hono<HttpEnv>()
    .get('/', (c) => answerList(c, readQuery(c, listQueryString)))
    .post('/search', admitFirst, noQuery, optionalJsonBody, validJson(searchBody), (c) =>
      answerList(c, c.req.valid('json')),
    )
    .post('/', jsonBody, validJson(customerCreate), async (c) => {
      const { if_exists: ifExists } = readQuery(c, createQueryString)
      const input = c.req.valid('json')
      const onboarding = onboardingOf(input)
      const options = { nowMs: c.get('nowMs'), ifExists, onboarding, idempotency: await idempotencyOf(c) }
      const { customer, effect } = await named(input, createCustomer(c.get('registry'), toNewCustomer(input), options))
      return answerCustomer(c, effect === 'created' ? 201 : 200, customer)
    })
    .post('/import', (c) => importCustomers(c, wiring))
    .get('/export', exportCustomers)
    .get('/external/:external_id', answerByExternalId)
    .get('/lookup/:external_id', answerByExternalId)
    .put('/external/:external_id', noQuery, jsonBody, validJson(customerUpsert), (c) => upsert(c, c.req.valid('json')))
    .get('/:id', (c) => answerRead(c, () => getCustomer(c.get('registry'), customerId(c.req.param('id')))))
    .put('/', jsonBody, validJson(customerUpdate), (c) => update(c, targetOf(c, null), c.req.valid('json'), toChanges))
    .put('/:id', jsonBody, validJson(customerUpdate), (c) =>
      update(c, targetOf(c, c.req.param('id')), c.req.valid('json'), toChanges),
    )
    .patch('/:id', noQuery, jsonBody, validJson(customerUpdate), (c) =>
      update(c, { id: customerId(c.req.param('id')) }, c.req.valid('json'), toMergePatch),
    )
    .delete('/:id', noQuery, async (c) => {
      await archiveCustomer(c.get('registry'), { id: customerId(c.req.param('id')) }, ifVersion(c))
      return answer(c, 204, null)
    })
    .post('/:id/restore', noQuery, async (c) => {
      const id = customerId(c.req.param('id'))
      const { customer } = await restoreCustomer(c.get('registry'), { id }, ifVersion(c), await idempotencyOf(c))
      return answerCustomer(c, 200, customer)
    })
    .post('/:id/erase', noQuery, async (c) => {
      const id = customerId(c.req.param('id'))
      const erasure = await eraseCustomer(c.get('registry'), { id }, ifVersion(c), await idempotencyOf(c))
      return answer(c, 200, toV1Erasure(erasure))
    })
}

const NOTHING: ReadonlySet<Expansion> = new Set()

async function answerRead(c: HttpContext, read: () => Promise<Snapshot>): Promise<Response> {
  const wanted = (c.req.raw.url.includes('?') && readQuery(c, readQueryString).expand) || NOTHING
  const { customer, bodies } = await read()
  const ifNoneMatch = c.req.raw.headers.get('if-none-match')
  if (wanted.size === 0) {
    const etag = etagOf(customer.version)
    if (isNotModified(ifNoneMatch, etag)) return answer(c, 304, null, { etag })
    bodies.v1 ??= JSON.stringify(toV1(customer))
    return answerFound(c, bodies.v1, etag)
  }
  const expanded = await expandCustomer(c.get('registry'), customer, wanted)
  const etag = etagOf(customer.version, etagParts(expanded))
  if (isNotModified(ifNoneMatch, etag)) return answer(c, 304, null, { etag })
  return answer(c, 200, toV1Expanded(customer, expanded, wanted), { etag })
}

function answerByExternalId(c: HttpContext): Promise<Response> {
  return answerRead(c, () => {
    const externalId = externalIdOfPath(c)
    // What can not be an external id is nobody's.
    if (!isExternalId(externalId)) throw notFound()
    return getCustomerByExternalId(c.get('registry'), externalId)
  })
}

async function answerList(c: HttpContext, input: ListInput): Promise<Response> {
  const request = toListRequest(input)
  const page = await listCustomers(c.get('registry'), request.query, { total: true })
  const wanted = input.expand ?? NOTHING
  const expanded = await expandCustomers(c.get('registry'), page.customers, wanted)
  const items = page.customers.map((customer, at) => toV1Expanded(customer, expanded[at] ?? {}, wanted))
  return answer(c, 200, toV1List(page, request, items))
}

async function update(
  c: HttpContext,
  target: Target,
  input: CustomerInput,
  translate: (input: CustomerInput) => ReturnType<typeof toChanges>,
): Promise<Response> {
  const { customer } = await named(input, updateCustomer(c.get('registry'), target, translate(input), ifVersion(c)))
  return answerCustomer(c, 200, customer)
}

async function upsert(
  c: HttpContext,
  { external_id: externalIdInBody, ...input }: CustomerInput & OnboardingInput,
): Promise<Response> {
  const externalId = externalIdOfPath(c)
  if (!isExternalId(externalId)) {
    throw refusedField('external_id', 'is no external id', 'put 1 to 255 characters without NUL into the path')
  }
  if (externalIdInBody !== undefined && externalIdInBody !== externalId) {
    const fix = 'leave it out of the body, or send PUT /v1/customers/{id} to change it'
    throw refusedField('external_id', 'is not the one in the path', fix)
  }
  // RFC 9110: `*` is a condition on a customer that exists, so it never creates one.
  if (c.req.header('if-match')?.trim() === '*') return update(c, { externalId }, input, toChanges)
  const options = { nowMs: c.get('nowMs'), ifVersion: ifVersion(c), onboarding: onboardingOf(input) }
  const write = upsertCustomer(c.get('registry'), externalId, toChanges(input), options)
  const { customer, effect } = await named(input, write)
  return answerCustomer(c, effect === 'created' ? 201 : 200, customer)
}

/** A failure about the parent is told of the field that the caller named it with. */
async function named<Written>(input: CustomerInput, write: Promise<Written>): Promise<Written> {
  try {
    return await write
  } catch (error) {
    const failure = error instanceof Refused ? error.failure : null
    switch (failure?.reason) {
      case 'parent_not_found':
      case 'parent_cycle':
      case 'parent_too_deep':
        throw new Refused({ ...failure, field: parentFieldOf(input) })
      default:
        throw error
    }
  }
}

/** Which customer a PUT is for: by its id in the path or the query, by its external id, or by all of them if they agree. */
function targetOf(c: HttpContext, idInPath: string | null): Target {
  const { id: idInQuery, external_customer_id: externalId } = readQuery(c, targetQueryString)
  const id = idInPath ?? idInQuery
  if (id === undefined) {
    if (externalId !== undefined) return { externalId }
    const message = 'is required, or else external_customer_id'
    throw refusedField('id', message, 'add ?id= or ?external_customer_id= to the path')
  }
  if (idInQuery !== undefined && idInQuery !== id) throw new Refused({ reason: 'targets_disagree' })
  return { id: customerId(id), externalId }
}

/** Another form can be no customer's. */
function customerId(id: string): string {
  if (!isCustomerId(id)) throw notFound()
  return id
}

/** As the caller percent-encoded it: the router's own reading leaves alone what is not UTF-8, which would name another. */
function externalIdOfPath(c: HttpContext): string {
  const [path = ''] = c.req.raw.url.split(/[?#]/, 1)
  try {
    return decodeURIComponent(path.slice(path.lastIndexOf('/') + 1))
  } catch {
    throw refusedField('external_id', 'is not percent-encoded UTF-8', 'encode the path as encodeURIComponent does')
  }
}

function refusedField(field: string, message: string, fix: string): Refused {
  return new Refused({ reason: 'invalid_input', problems: [{ field, message, fix }] })
}

function notFound(): Refused {
  return new Refused({ reason: 'not_found', resource: 'customer' })
}

function ifVersion(c: HttpContext): number | null {
  return versionFromIfMatch(c.req.raw.headers.get('if-match'))
}

function answerCustomer(c: HttpContext, status: number, customer: Customer): Response {
  return answer(c, status, toV1(customer), { etag: etagOf(customer.version) })
}
