/**
 * The commands of `npm run tenant` about what a tenant has configured: the URLs that receive its events, and the steps of
 * its onboarding. They work for a suspended tenant too.
 */
import { plainText } from '../src/shared/shown-text.ts'
import { pathOf } from './tenant-requests.mjs'
import { day, table } from './terminal.mjs'

export const ENDPOINT_COLUMNS = {
  ENDPOINT: (endpoint) => endpoint.id,
  MODE: (endpoint) => endpoint.mode,
  STATUS: (endpoint) => endpoint.status,
  CREATED: (endpoint) => day(endpoint.created_at),
  BY: (endpoint) => endpoint.created_by,
  URL: (endpoint) => endpoint.url,
}

const STEP = {
  MODE: (step) => step.mode,
  WORKFLOW: (step) => step.workflow,
  STEP: (step) => step.type,
  NAME: (step) => step.name ?? '',
  URL: (step) => step.url ?? '',
}

/** Returns the steps of all workflows of both modes, in their order. */
function stepsOf(settings) {
  return ['live', 'test'].flatMap((mode) =>
    Object.entries(settings[mode].workflows).flatMap(([workflow, { steps }]) =>
      steps.map((step) => ({ mode, workflow, ...step })),
    ),
  )
}

export const configurationCommands = {
  'endpoint list': {
    args: ['<tenant>'],
    help: 'the URLs that receive its events, also while it is suspended',
    run: async (api, [tenant]) => api('GET', `${await pathOf(api, tenant)}/webhooks/endpoints`),
    show: ({ items }) => table(items, ENDPOINT_COLUMNS),
  },
  'endpoint disable': {
    args: ['<tenant>', '<endpoint>'],
    help: 'send nothing more to a URL',
    run: async (api, [tenant, endpoint]) => api('PATCH', await endpointPath(api, tenant, endpoint), { enabled: false }),
    show: ({ id }) => `${plainText(id)} is disabled.`,
  },
  'endpoint enable': {
    args: ['<tenant>', '<endpoint>'],
    help: 'send events to a URL again',
    run: async (api, [tenant, endpoint]) => api('PATCH', await endpointPath(api, tenant, endpoint), { enabled: true }),
    show: ({ id }) => `${plainText(id)} is enabled.`,
  },
  'endpoint delete': {
    args: ['<tenant>', '<endpoint>'],
    help: 'delete an endpoint with what it has not received yet',
    run: async (api, [tenant, endpoint]) => api('DELETE', await endpointPath(api, tenant, endpoint)),
    show: (_, [, endpoint]) => `${plainText(endpoint)} is deleted.`,
  },
  onboarding: {
    args: ['<tenant>'],
    help: 'the steps that its new customers go through, in both modes',
    run: async (api, [tenant]) => api('GET', `${await pathOf(api, tenant)}/settings/customer_onboarding`),
    show: (settings) => table(stepsOf(settings), STEP),
  },
}

async function endpointPath(api, tenant, endpoint) {
  return `${await pathOf(api, tenant)}/webhooks/endpoints/${encodeURIComponent(endpoint)}`
}
