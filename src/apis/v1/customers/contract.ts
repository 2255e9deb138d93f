/**
 * Contracts of the customer routes, as FlexPrice's API has them.
 */
import { contract } from '../../../http/contract.ts'
import { CSV, exportQueryString, IMPORT_ACCEPTED, importQueryString, NDJSON } from './bulk-schema.ts'
import { listQueryString, searchBody } from './list-schema.ts'
import {
  createQueryString,
  customerCreate,
  customerRevert,
  customerUpdate,
  customerUpsert,
  mergeBody,
  readQueryString,
  revertQueryString,
  targetQueryString,
  undoBody,
  unmergeBody,
  upsertQueryString,
} from './schema.ts'

const READS = { scope: 'customers:read', touches: 'read' } as const
const WRITES = { scope: 'customers:write', touches: 'write' } as const
const CHANGES = { ...WRITES, versioned: true } as const
const CUSTOMERS = '/v1/customers'
const CUSTOMER = '/v1/customers/:id'
const BY_EXTERNAL_ID = '/v1/customers/external/:external_id'

export const customerContracts = {
  import: contract({
    ...WRITES,
    method: 'post',
    path: `${CUSTOMERS}/import`,
    query: importQueryString,
    stream: {
      request: { mediaTypes: [NDJSON, CSV], accepted: IMPORT_ACCEPTED, decoded: /^text\/csv$/ },
      response: [NDJSON],
    },
  }),
  export: contract({
    ...READS,
    method: 'get',
    path: `${CUSTOMERS}/export`,
    query: exportQueryString,
    stream: { response: [NDJSON, CSV] },
  }),
  create: contract({
    ...WRITES,
    method: 'post',
    path: CUSTOMERS,
    query: createQueryString,
    body: { schema: customerCreate },
    idempotent: true,
  }),
  list: contract({ ...READS, method: 'get', path: CUSTOMERS, query: listQueryString }),
  search: contract({
    ...READS,
    method: 'post',
    path: `${CUSTOMERS}/search`,
    body: { schema: searchBody, optional: true },
  }),
  get: contract({ ...READS, method: 'get', path: CUSTOMER, query: readQueryString }),
  getByExternalId: contract({ ...READS, method: 'get', path: BY_EXTERNAL_ID, query: readQueryString }),
  lookup: contract({
    ...READS,
    method: 'get',
    path: `${CUSTOMERS}/lookup/:external_id`,
    query: readQueryString,
  }),
  duplicates: contract({ ...READS, method: 'get', path: `${CUSTOMER}/duplicates` }),
  updateByQuery: contract({
    ...CHANGES,
    method: 'put',
    path: CUSTOMERS,
    query: targetQueryString,
    body: { schema: customerUpdate },
  }),
  update: contract({
    ...CHANGES,
    method: 'put',
    path: CUSTOMER,
    query: targetQueryString,
    body: { schema: customerUpdate },
  }),
  upsert: contract({
    ...CHANGES,
    method: 'put',
    path: BY_EXTERNAL_ID,
    query: upsertQueryString,
    body: { schema: customerUpsert },
  }),
  patch: contract({ ...CHANGES, method: 'patch', path: CUSTOMER, body: { schema: customerUpdate } }),
  archive: contract({ ...CHANGES, method: 'delete', path: CUSTOMER }),
  restore: contract({
    ...CHANGES,
    method: 'post',
    path: `${CUSTOMER}/restore`,
    body: { schema: customerUpdate, optional: true },
    idempotent: true,
  }),
  merge: contract({
    ...CHANGES,
    method: 'post',
    path: `${CUSTOMER}/merge`,
    body: { schema: mergeBody },
    idempotent: true,
  }),
  unmerge: contract({
    ...CHANGES,
    method: 'post',
    path: `${CUSTOMER}/unmerge`,
    body: { schema: unmergeBody },
    idempotent: true,
  }),
  revert: contract({
    ...CHANGES,
    method: 'post',
    path: `${CUSTOMER}/revert`,
    query: revertQueryString,
    body: { schema: customerRevert },
    idempotent: true,
  }),
  undo: contract({
    ...WRITES,
    method: 'post',
    path: '/v1/undo',
    body: { schema: undoBody },
    stream: { response: [NDJSON] },
  }),
  erase: contract({ ...CHANGES, role: 'admin', method: 'post', path: `${CUSTOMER}/erase`, idempotent: true }),
}
