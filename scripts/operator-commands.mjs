/**
 * The commands of `npm run operator`: for each its arguments and options, its requests to the admin API, and how it prints the
 * response. admin-command.mjs sends the requests: it passes in `api(method, path, body?)`.
 */
import { plainText } from '../src/shared/shown-text.ts'
import { day, facts, table } from './terminal.mjs'

const PAGE = 100
const ID = /^op_[0-9A-HJKMNP-TV-Z]{26}$/
const OPERATORS = '/admin/operators'

const option = (help) => ({ type: 'string', help })

export const COMMANDS = {
  add: {
    args: ['<email>'],
    help: 'a new operator, with a link that signs in once',
    options: { role: option('viewer, support, admin or owner; default: viewer'), name: option('default: the address') },
    run: async (api, [email], { role = 'viewer', name = email }) => {
      const operator = await api('POST', OPERATORS, { email, role, name })
      return { ...operator, sign_in: await linkFor(api, operator.operator_id) }
    },
    show: (operator) => `${showOperator(operator)}\n\n${showLink(operator.sign_in)}`,
  },
  list: {
    args: [],
    help: 'all operators',
    run: everyOperator,
    show: ({ items }) =>
      table(items, {
        OPERATOR: (operator) => operator.operator_id,
        EMAIL: (operator) => operator.email,
        NAME: (operator) => operator.name,
        ROLE: (operator) => operator.role,
        'LAST SEEN': (operator) => minute(operator.last_seen_at),
      }),
  },
  role: {
    args: ['<operator>', '<role>'],
    help: 'change the role; in force everywhere when it returns',
    run: async (api, [operator, role]) => api('PATCH', await pathOf(api, operator), { role }),
    show: showOperator,
  },
  remove: {
    args: ['<operator>'],
    help: 'remove the operator; its keys and sessions are refused everywhere when it returns',
    run: async (api, [operator]) => {
      await api('DELETE', await pathOf(api, operator))
      return { operator }
    },
    show: ({ operator }) => `${plainText(operator)} is removed.`,
  },
  link: {
    args: ['<operator>'],
    help: 'a link that signs the operator in once, within an hour',
    run: async (api, [operator]) => linkFor(api, await idOf(api, operator)),
    show: showLink,
  },
  'key create': {
    args: ['<operator>'],
    help: 'a new key, shown this once',
    options: { name: option('what it is for'), expires: option('a date or a time') },
    run: async (api, [operator], { name, expires }) =>
      api('POST', `${await pathOf(api, operator)}/keys`, { name, expires_at: expires }),
    show: (key) =>
      `${facts({ id: key.key_id, name: key.name, expires: key.expires_at ?? 'never' })}\n\nThe key, shown this once:\n\n  ${key.key}`,
  },
  'key list': {
    args: ['<operator>'],
    help: 'its keys, without their secrets',
    run: async (api, [operator]) => api('GET', `${await pathOf(api, operator)}/keys`),
    show: ({ items }) =>
      table(items, {
        KEY: (key) => key.key_id,
        NAME: (key) => key.name,
        CREATED: (key) => day(key.created_at),
        EXPIRES: (key) => (key.expires_at ? day(key.expires_at) : 'never'),
        'LAST USED': (key) => minute(key.last_used_at),
      }),
  },
  'key revoke': {
    args: ['<operator>', '<key>'],
    help: 'refuse a key, and the sessions that were made with it, everywhere when it returns',
    run: async (api, [operator, key]) => {
      await api('DELETE', `${await pathOf(api, operator)}/keys/${encodeURIComponent(key)}`)
      return { key_id: key }
    },
    show: ({ key_id: key }) => `${plainText(key)} is revoked.`,
  },
}

async function pathOf(api, operator) {
  return `${OPERATORS}/${await idOf(api, operator)}`
}

/** Returns the id of an operator that is given by its id or its address. Throws if no operator has it. */
async function idOf(api, operator) {
  if (ID.test(operator)) return operator
  const { items } = await everyOperator(api)
  const found = items.find(({ email }) => email.toLowerCase() === operator.toLowerCase())
  if (found) return found.operator_id
  throw new Error(`No operator is ${JSON.stringify(plainText(operator))}. See \`npm run operator -- list\`.`)
}

async function everyOperator(api) {
  const items = []
  for (let cursor; ; ) {
    const page = await api('GET', `${OPERATORS}?limit=${PAGE}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`)
    items.push(...page.items)
    cursor = page.pagination.next_cursor
    if (!page.pagination.has_more) return { items }
  }
}

function linkFor(api, operatorId) {
  return api('POST', `${OPERATORS}/${operatorId}/sign_in_links`)
}

function minute(time) {
  return time === null ? 'never' : time.slice(0, 16).replace('T', ' ')
}

function showOperator(operator) {
  const { operator_id: id, name, email, role } = operator
  return facts({ operator: id, name, email, role })
}

function showLink({ url, expires_at: end }) {
  return `Open this to sign in to the console. It works once, until ${minute(end)} UTC:\n\n  ${plainText(url)}`
}
