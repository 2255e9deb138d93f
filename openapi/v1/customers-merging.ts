/** The routes that merge two customers, and take a merge back, in the OpenAPI document. The Worker does not import this file. */
import type { customerContracts } from '../../src/apis/v1/customers/contract.ts'
import type { Documentations } from '../documented.ts'
import { v1Merged, v1Unmerged } from './customers-responses.ts'
import { CUSTOMER_EXAMPLE } from './shared-responses.ts'

type Docs = Documentations<typeof customerContracts>

const ID = CUSTOMER_EXAMPLE.id
const SOURCE_ID = 'cust_01JD3VQ4X8N2M7R5T9W6YBZKCF'
const MERGED = {
  customer: {
    ...CUSTOMER_EXAMPLE,
    email: 'accounts@acme.com',
    metadata: { ...CUSTOMER_EXAMPLE.metadata, seats: '7' },
  },
  source_id: SOURCE_ID,
  moved: {
    external_ids: ['user_67890'],
    integrations: [{ provider: 'stripe', id: 'cus_NffrFeUfNV2Hib' }],
    children: 2,
    fields: ['email'],
    metadata: ['seats'],
  },
  dry_run: false,
}

export const mergeDoc: Docs['merge'] = {
  etag: true,
  elsewhere: true,
  dryRun: true,
  operationId: 'mergeCustomer',
  summary: 'Merge a customer into another one',
  description:
    'The customer in the path, the source, becomes a part of the one that `into` names, the survivor. Its children and its entities at providers move there, unset fields of the survivor take its values, and metadata are united; `prefer` says whose value is kept where both have one. From then on the id of the source, its external id and its former ones lead to the survivor in every API, and such a response has a `content-location`. Only the survivor is in lists, searches and exports.\n\n`if-match` is about the source, `into_version` about the survivor. With `dry_run`, nothing is changed and the response is what the merge would do. An archived source has given up its external id and its entities, so those stay where they are. A merge moves at most 200 children.',
  path: { id: { description: 'The id of the source.', examples: [SOURCE_ID] } },
  body: { id: 'V1CustomerMerge', example: { into: ID, prefer: { email: 'source' } } },
  answers: { 200: { description: 'The survivor, and what moved.', schema: v1Merged, example: MERGED } },
  failures: [
    'not_found',
    'merged',
    'merge_too_large',
    'parent_cycle',
    'parent_too_deep',
    'too_many_descendants',
    'metadata_too_many_keys',
    'customer_too_large',
  ],
}

const UNMERGED = {
  customer: { ...CUSTOMER_EXAMPLE, contact: '+14155550100' },
  source: {
    ...CUSTOMER_EXAMPLE,
    ...{ id: SOURCE_ID, external_id: 'user_67890', name: '', email: 'accounts@acme.com' },
    contact: '+14155550123',
    ...{ address_line1: '', address_city: '', address_state: '', address_postal_code: '', address_country: '' },
    timezone: 'UTC',
    metadata: { seats: '7' },
  },
  moved: MERGED.moved,
  kept: [{ customer_id: ID, field: 'contact', name: null, reason: 'changed' }],
  dry_run: false,
}

export const unmergeDoc: Docs['unmerge'] = {
  etag: true,
  dryRun: true,
  operationId: 'unmergeCustomer',
  summary: 'Take a merge back',
  description:
    'The customer that `source` names was merged into the one in the path, the survivor, at most 30 days ago. It is itself again, as it was to the byte: all fields, its status, its external id and its former ones, its entities and its children. Only its version goes on. The survivor loses what it got from it, each field, metadata key, entity and child by itself, unless somebody has changed it since; `kept` names what stayed and why. Both get a version above all that were shown for either id.\n\n`if-match` is about the survivor. With `dry_run`, nothing is changed and the response is what the unmerge would do. A merge is taken back from the customer that it named: if that one has been merged into another one since, the response is 409 `unmerge_order` and names the merge to take back first. If another customer has the external id or an entity of the source by now, the response is 409 too.',
  path: { id: { description: 'The id of the survivor.', examples: [ID] } },
  body: { id: 'V1CustomerUnmerge', example: { source: SOURCE_ID } },
  answers: { 200: { description: 'The survivor and the source.', schema: v1Unmerged, example: UNMERGED } },
  failures: [
    'not_found',
    'merged',
    'archived',
    'unmerge_expired',
    'unmerge_order',
    'external_id_taken',
    'integration_taken',
    'parent_cycle',
    'parent_too_deep',
    'too_many_descendants',
    'customer_too_large',
  ],
}
