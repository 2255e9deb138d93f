/** The fields that several APIs have in common, the samples of values, and the shape of errors. */
import { field, group, type SchemaDoc } from './field.ts'

export const CUSTOMER_ID = 'cust_01JD3VQ4X8N2M7R5T9W6YBZKCE'
export const EVENT_ID = 'evt_01JD3VQ4X8N2M7R5T9W6YBZKCE'
export const KEY_ID = 'key_01JD3VQ4X8N2M7R5T9W6YBZKCE'
export const ENDPOINT_ID = 'whe_01JD3VQ4X8N2M7R5T9W6YBZKCE'
export const OPERATOR_ID = 'op_01JD3VQ4X8N2M7R5T9W6YBZKCE'
export const SESSION_ID = 'ses_01JD3VQ4X8N2M7R5T9W6YBZKCE'
export const TENANT_ID = '0b6f7d0e-3f0c-4a52-9a63-6f1a5a1c2d3e'
export const TIME = '2026-01-20T15:00:00.000Z'
export const REQUEST_ID = 'req_7f3a'
/** Shown instead of a cursor, because a cursor belongs to the request that returned it. */
export const CURSOR = 'eyJhZnRlciI6ImN1c3RfMDFKRDNWUTRYOE4yTTdSNVQ5VzZZQlpLQ0UifQ'

/** The documentation of the parameter `cursor` of a list. */
export const CURSOR_PARAMETER = {
  description: '`next_cursor` of the page before. It belongs to the same filters and order; `limit` may change.',
  examples: [CURSOR],
}

export const ACTOR = field(
  'The actor: the id of a key or of an operator, `admin` (or `admin:` and the name of the admin key), or the name of a bound Worker.',
  KEY_ID,
)

export const createdAt = { created_at: field('The time of the creation.', TIME) }
export const updatedAt = { updated_at: field('The time of the last change.', TIME) }

/** The part of a page that says how to continue. */
export const cursorPage = {
  limit: field('The number of items that the page may have.', 50),
  next_cursor: field('Where the next page begins: send it as `cursor`. Null on the last page.', null),
  has_more: field('True if another page follows. Such a page may be short.', false),
}

/** The page of a list that has only a cursor. */
export const page = (items: string) => ({
  items: field(items),
  pagination: group('The place of this page in the list.', cursorPage),
})

export const OVERLAP = field(
  'How long the old secret stays valid beside the new one, in seconds, at most 30 days.',
  86_400,
)

export const sharedSchemas: Record<string, SchemaDoc> = {
  Error: {
    description: 'An error of the v1 and admin APIs. Old and new FlexPrice clients can parse it.',
    fields: {
      success: field('Always false.'),
      error: group('The same message, where older FlexPrice clients look for it.', {
        message: field(
          'The message.',
          'email is not a valid e-mail address: send an address such as billing@example.com',
        ),
        internal_error: field('Always empty.'),
      }),
      code: field('The kind of error, for programs.', 'validation_error'),
      message: field(
        'The field, what is wrong with it, and how to fix it.',
        'email is not a valid e-mail address: send an address such as billing@example.com',
      ),
      http_status_code: field('The status of the response.', 400),
      details: group('More about the error, for programs.', {
        reason: field('Distinguishes the causes that share a code.', 'tenant_suspended'),
        errors: group('The invalid fields, and how to fix each.', {
          field: field('The name of the field, parameter or header, with dots for nested ones.', 'email'),
          message: field('The fault.', 'is not a valid e-mail address'),
          fix: field('How to fix it.', 'send an address such as billing@example.com'),
        }),
      }),
    },
  },
  Health: { description: 'The state of the Worker.', fields: { status: field('Always `ok`.') } },
  Readiness: {
    description: 'The state of what the Worker needs.',
    fields: {
      status: field('`ready` if every check is `ok`.', 'ready'),
      checks: group('The result of each check.', {
        d1: field('Whether D1 responds.', 'ok'),
        kv: field('Whether KV responds.', 'ok'),
        gate: field('Whether the gates respond.', 'ok'),
      }),
    },
  },
}
