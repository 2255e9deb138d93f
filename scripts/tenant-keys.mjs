/** The commands of `npm run tenant` about the keys of a tenant. */
import { plainText } from '../src/shared/shown-text.ts'
import { ENDPOINT_COLUMNS } from './tenant-configuration.mjs'
import { defined, everyPage, number, option, pathOf } from './tenant-requests.mjs'
import { day, facts, table } from './terminal.mjs'

export const keyCommands = {
  'key create': {
    args: ['<tenant>'],
    help: 'a new key, shown this once',
    options: {
      name: option('what it is for'),
      mode: option('live or test; default: live'),
      scopes: option('comma-separated; default: all'),
      expires: option('a date or a time'),
    },
    run: async (api, [tenant], { name, mode, scopes, expires }) =>
      api(
        'POST',
        `${await pathOf(api, tenant)}/keys`,
        defined({ name, mode, scopes: scopes?.split(','), expires_at: expires }),
      ),
    show: showKey,
  },
  'key list': {
    args: ['<tenant>'],
    help: 'its keys, without their secrets',
    run: async (api, [tenant]) => everyPage(api, `${await pathOf(api, tenant)}/keys`, {}),
    show: ({ items }) =>
      table(items, {
        KEY: (key) => key.key_id,
        NAME: (key) => key.name,
        MODE: (key) => key.mode,
        STATUS: (key) => key.status,
        CREATED: (key) => day(key.created_at),
        EXPIRES: (key) => (key.expires_at ? day(key.expires_at) : 'never'),
        SCOPES: (key) => key.scopes.join(','),
      }),
  },
  'key rotate': {
    args: ['<tenant>', '<key>'],
    help: 'a new key in place of one',
    options: { 'overlap-seconds': option('how long the old one stays valid; default: 0') },
    run: async (api, [tenant, key], values) => {
      const overlap = values['overlap-seconds']
      return api(
        'POST',
        `${await keyPath(api, tenant, key)}/rotate`,
        overlap && { overlap_seconds: number(overlap, 'overlap-seconds') },
      )
    },
    show: showKey,
  },
  'key revoke': {
    args: ['<tenant>', '<key>'],
    help: 'refuse a key, in force everywhere when it returns, and list the webhook endpoints it made',
    run: async (api, [tenant, key]) => {
      const path = await pathOf(api, tenant)
      await api('DELETE', `${path}/keys/${encodeURIComponent(key)}`)
      const { items } = await api('GET', `${path}/webhooks/endpoints`)
      return { key_id: key, endpoints: items.filter(({ created_by: by }) => by === key) }
    },
    show: ({ key_id: key, endpoints }) => {
      const revoked = `${plainText(key)} is revoked.`
      if (endpoints.length === 0) return revoked
      const list = table(endpoints, ENDPOINT_COLUMNS)
      return `${revoked} Events are still sent to the endpoints that were made with it. To stop one: npm run tenant -- endpoint disable\n\n${list}`
    },
  },
}

async function keyPath(api, tenant, key) {
  return `${await pathOf(api, tenant)}/keys/${encodeURIComponent(key)}`
}

function showKey(key) {
  const fields = {
    id: key.key_id,
    name: key.name,
    mode: key.mode,
    scopes: key.scopes.join(','),
    expires: key.expires_at ?? 'never',
  }
  return `${facts(fields)}\n\nThe key, shown this once:\n\n  ${key.key}`
}
