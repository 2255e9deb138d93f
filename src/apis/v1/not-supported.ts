/**
 * The calls of FlexPrice's API that Roster is not for. Roster keeps who a customer is. Other systems keep its usage, its
 * bills and its plan. The response says so, because "no such customer" would make the caller look for one.
 */
import type { Failure } from '../../registry/errors.ts'

const METERING = 'ask your metering system, by the external_id of the customer'
const BILLING = 'ask your billing system, by the external_id of the customer'
const ENTITLING = 'ask the system that keeps your plans, by the external_id of the customer'
const OPERATORS = 'operators use /admin/customers'

/** The systems to use instead, by the name in the path: of a part of a customer, or of a resource beside customers. */
const INSTEAD: Readonly<Record<string, string>> = {
  usage: METERING,
  meters: METERING,
  features: ENTITLING,
  entitlements: ENTITLING,
  plans: ENTITLING,
  addons: ENTITLING,
  prices: BILLING,
  wallets: BILLING,
  credits: BILLING,
  creditgrants: BILLING,
  creditnotes: BILLING,
  grants: BILLING,
  coupons: BILLING,
  costs: BILLING,
  taxes: BILLING,
  invoices: BILLING,
  payments: BILLING,
  subscriptions: BILLING,
  'entity-integration-mappings': 'send integration_entity_mapping with the customer',
  tenants: OPERATORS,
  users: OPERATORS,
  secrets: OPERATORS,
  environments: 'the key decides: sk_live_ or sk_test_',
}

const PATH = /^\/v1\/(?:customers\/(?:[^/]+\/)?)?([a-z_-]+)(?:\/|$)/

/** Returns the failure for a path of FlexPrice's API that no route has. Returns null for any other path. */
export function notSupportedAt(path: string): Failure | null {
  const name = PATH.exec(path)?.[1] ?? ''
  const known = name.replaceAll('_', '')
  const key = Object.hasOwn(INSTEAD, name) ? name : known
  return Object.hasOwn(INSTEAD, key) ? { reason: 'not_supported', what: name, instead: INSTEAD[key] as string } : null
}
