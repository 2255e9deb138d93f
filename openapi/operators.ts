/**
 * Operators in the OpenAPI document: the documentation of each of their contracts. The Worker does not import this file.
 */
import { operatorContracts } from '../src/apis/admin/operators/contract.ts'
import { sessionContracts, signInContracts } from '../src/apis/admin/session/contract.ts'
import { adminDoc } from './admin.ts'
import type { ApiDoc } from './build.ts'
import { documented } from './documented.ts'
import { OPERATOR_KEY_ID } from './fields/operators.ts'
import { CURSOR_PARAMETER, OPERATOR_ID, SESSION_ID, TIME } from './fields/shared.ts'
import {
  adminMe,
  adminOperator,
  adminOperatorKeyList,
  adminOperatorList,
  adminSignInLink,
  newAdminOperatorKey,
} from './operator-responses.ts'

const ADA = { name: 'Ada Lovelace', email: 'ada@acme.com', role: 'support' }
const OPERATOR = { operator_id: OPERATOR_ID, ...ADA, last_seen_at: TIME, created_at: TIME, updated_at: TIME }
const KEY = { key_id: OPERATOR_KEY_ID, name: 'laptop', expires_at: null, created_at: TIME, last_used_at: null }
const ME = { operator_id: OPERATOR_ID, ...ADA, via: 'session', session_id: SESSION_ID, session_expires_at: TIME }

const ofOperator = { operator_id: { description: 'The id of the operator.', examples: [OPERATOR_ID] } }
const ofKey = { ...ofOperator, key_id: { description: 'The id of the key.', examples: [OPERATOR_KEY_ID] } }

export const operatorsDoc: ApiDoc = {
  ...adminDoc,
  tag: 'Operators (admin)',
  description:
    'The people and scripts who run this deployment, in one of four roles, with their keys, sign-in links and sessions. A change of an operator is in force everywhere when the response arrives.',
  routes: documented(
    { ...operatorContracts, ...signInContracts, ...sessionContracts },
    {
      listOperators: {
        operationId: 'listOperators',
        summary: 'List operators',
        description: 'Newest first.',
        query: {
          limit: { description: 'The number of items on a page, at most 100.', examples: [20] },
          cursor: CURSOR_PARAMETER,
        },
        answers: {
          200: {
            description: 'A page.',
            schema: adminOperatorList,
            example: { items: [OPERATOR], pagination: { limit: 50, next_cursor: null, has_more: false } },
          },
        },
      },
      createOperator: {
        operationId: 'createOperator',
        etag: true,
        summary: 'Add an operator',
        description:
          'Make a sign-in link or a key next: the operator has neither. Cloudflare Access signs in by the address.',
        body: { id: 'OperatorCreate', example: ADA },
        answers: {
          201: { description: 'Created.', schema: adminOperator, example: { ...OPERATOR, last_seen_at: null } },
        },
        failures: ['operator_email_taken'],
      },
      getOperator: {
        operationId: 'getOperator',
        etag: true,
        summary: 'Get an operator',
        path: ofOperator,
        answers: { 200: { description: 'The operator.', schema: adminOperator, example: OPERATOR } },
        failures: ['not_found'],
      },
      updateOperator: {
        operationId: 'updateOperator',
        etag: true,
        summary: 'Change an operator',
        description:
          'Changes only the fields that are sent. A new role is in force everywhere when the response arrives, for sessions too. The last owner keeps the role.',
        path: ofOperator,
        body: { id: 'OperatorUpdate', example: { role: 'admin' } },
        answers: {
          200: { description: 'The changed operator.', schema: adminOperator, example: { ...OPERATOR, role: 'admin' } },
        },
        failures: ['not_found', 'operator_email_taken', 'last_owner'],
      },
      deleteOperator: {
        operationId: 'deleteOperator',
        summary: 'Remove an operator',
        description:
          'Its keys, sessions and sign-in links are refused everywhere when the response arrives. The audit keeps its changes. The last owner cannot be removed.',
        path: ofOperator,
        answers: { 204: { description: 'Removed.' } },
        failures: ['not_found', 'last_owner'],
      },
      createOperatorKey: {
        operationId: 'createOperatorKey',
        summary: 'Create a key of an operator',
        description: 'For scripts, and to sign in. Only this response has the key. An operator has at most 50.',
        path: ofOperator,
        body: { id: 'OperatorKeyCreate', example: { name: 'laptop' } },
        answers: {
          201: {
            description: 'The key, in clear this once.',
            schema: newAdminOperatorKey,
            example: { ...KEY, key: 'ok_01JD3VQ4X8…' },
          },
        },
        failures: ['not_found'],
      },
      listOperatorKeys: {
        operationId: 'listOperatorKeys',
        summary: 'List the keys of an operator',
        description: 'Newest first. Never shows the secrets.',
        path: ofOperator,
        answers: { 200: { description: 'All keys.', schema: adminOperatorKeyList, example: { items: [KEY] } } },
        failures: ['not_found'],
      },
      revokeOperatorKey: {
        operationId: 'revokeOperatorKey',
        summary: 'Revoke a key of an operator',
        description:
          'The key, and the sessions that were made with it, are refused everywhere when the response arrives.',
        path: ofKey,
        answers: { 204: { description: 'Revoked.' } },
        failures: ['not_found'],
      },
      createSignInLink: {
        operationId: 'createSignInLink',
        summary: 'Make a sign-in link for an operator',
        description: 'It signs in once, within one hour. Send it to the operator: who has the link is the operator.',
        path: ofOperator,
        answers: {
          201: {
            description: 'The link, in clear this once.',
            schema: adminSignInLink,
            example: {
              url: 'https://roster.acme.workers.dev/console/sign-in#token=ol_01JD3VQ4X8…',
              expires_at: TIME,
            },
          },
        },
        failures: ['not_found'],
      },
      startSession: {
        operationId: 'startSession',
        summary: 'Sign in to the console',
        description:
          'Starts a session of twelve hours, for the caller of an operator key, an admin key or Cloudflare Access, or for whom a sign-in link is. The cookie counts only in requests with `roster-console: 1` from the same origin. A session ends with its operator, with the key that it was made with, and with another sign-in of the browser.',
        body: { id: 'SessionCreate', example: { token: 'ol_01JD3VQ4X8…' } },
        answers: { 201: { description: 'Signed in.', schema: adminMe, example: ME, headers: ['set-cookie'] } },
      },
      getSession: {
        operationId: 'getSession',
        summary: 'Get the current session',
        answers: { 200: { description: 'The session.', schema: adminMe, example: ME } },
        failures: ['not_found'],
      },
      endSession: {
        operationId: 'endSession',
        summary: 'Sign out of the console',
        description: 'The session is refused everywhere when the response arrives.',
        answers: { 204: { description: 'Signed out.', headers: ['set-cookie'] } },
        failures: ['not_found'],
      },
      getMe: {
        operationId: 'getMe',
        summary: 'Get who you are',
        description: 'The operator who sends the request, however it proves that.',
        answers: {
          200: {
            description: 'The operator.',
            schema: adminMe,
            example: { ...ME, via: 'operator_key', session_id: null, session_expires_at: null },
          },
        },
      },
    },
  ),
}
