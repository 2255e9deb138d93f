/** The fields of operators, their keys, sign-in links and sessions. */
import { type FieldDocs, field, type SchemaDoc } from './field.ts'
import { createdAt, OPERATOR_ID, page, SESSION_ID, TIME, updatedAt } from './shared.ts'

export const OPERATOR_KEY_ID = 'opk_01JD3VQ4X8N2M7R5T9W6YBZKCE'

const operator: FieldDocs = {
  name: field('The name of the person or script.', 'Ada Lovelace'),
  email: field('The e-mail address. No other operator has it. Cloudflare Access signs in by it.', 'ada@acme.com'),
  role: field(
    '`viewer` reads. `support` also changes customers and redelivers. `admin` also changes tenants, keys and endpoints, and erases. `owner` also manages operators and deletes tenants.',
    'support',
  ),
}
const operatorId = field('The id of the operator.', OPERATOR_ID)

const key: FieldDocs = {
  name: field('A name for people.', 'laptop'),
  expires_at: field('From when the key is refused. Null: never.', '2027-01-20T15:00:00.000Z'),
}
const shownKey: FieldDocs = {
  ...key,
  key_id: field('The id of the key. It is no secret.', OPERATOR_KEY_ID),
  last_used_at: field('The minute of the last request. Null before the first one.', TIME),
  ...createdAt,
}

export const operatorSchemas: Record<string, SchemaDoc> = {
  OperatorCreate: { description: 'A new operator.', fields: operator },
  OperatorUpdate: { description: 'The fields to change. An absent field is kept.', fields: operator },
  Operator: {
    description: 'A person or script who runs this deployment.',
    fields: {
      ...operator,
      operator_id: operatorId,
      last_seen_at: field('The minute of the last request. Null before the first one.', TIME),
      ...createdAt,
      ...updatedAt,
    },
  },
  OperatorList: { description: 'A page of operators.', fields: page('The operators of this page.') },
  OperatorKeyCreate: { description: 'A new key. Each field may be left out.', fields: key },
  OperatorKey: { description: 'A key of an operator, without the secret.', fields: shownKey },
  OperatorKeyList: {
    description: 'The keys of an operator.',
    fields: { items: field('All keys, newest first. A revoked key is gone.') },
  },
  NewOperatorKey: {
    description: 'A new key, with the secret.',
    fields: {
      ...shownKey,
      key: field(
        'The secret. It is shown only here, and again to a repeat of the request with its idempotency key.',
        'ok_01JD3VQ4X8…',
      ),
    },
  },
  SignInLink: {
    description: 'A link that signs an operator in once.',
    fields: {
      url: field(
        'The address to open. The token stands behind `#`, which a browser sends to no server.',
        'https://roster.acme.workers.dev/console/sign-in#token=ol_01JD3VQ4X8…',
      ),
      expires_at: field('The link works once, and until then.', TIME),
    },
  },
  SessionCreate: {
    description: 'The sign-in, if it is by a link.',
    fields: {
      token: field(
        'The token of a sign-in link. Left out by a caller with a key, or with Cloudflare Access.',
        'ol_01JD3VQ4X8…',
      ),
    },
  },
  Me: {
    description: 'The operator who sends the request.',
    fields: {
      operator_id: field('The id of the operator. Null for an admin key, which belongs to none.', OPERATOR_ID),
      name: field(
        'The name of the operator. That of an admin key is `admin`, or `admin:` and its name.',
        'Ada Lovelace',
      ),
      email: field('The e-mail address of the operator. Null for an admin key.', 'ada@acme.com'),
      role: field('The role. That of an admin key is `owner`.', 'support'),
      via: field('How the caller proved who it is.', 'session'),
      session_id: field('The id of the session. Null for a request without one.', SESSION_ID),
      session_expires_at: field('When the session ends. Null for a request without one.', TIME),
    },
  },
}
