/** Contracts of all routes of the admin API. */
import { auditContracts } from './audit/contract.ts'
import { endpointContracts } from './endpoints/contract.ts'
import { healthContracts } from './health/contract.ts'
import { keyContracts } from './keys/contract.ts'
import { operatorContracts } from './operators/contract.ts'
import { searchContracts } from './search/contract.ts'
import { sessionContracts, signInContracts } from './session/contract.ts'
import { tenantContracts } from './tenants/contract.ts'

export const adminContracts = {
  ...tenantContracts,
  ...keyContracts,
  ...endpointContracts,
  ...auditContracts,
  ...searchContracts,
  ...operatorContracts,
  ...signInContracts,
  ...sessionContracts,
  ...healthContracts,
}
