/** Contract of the route of the audit log. */
import { contract } from '../../../http/contract.ts'
import { auditQuery } from './schema.ts'

export const auditContracts = {
  listAudit: contract({
    scope: null,
    touches: null,
    role: 'viewer',
    method: 'get',
    path: '/admin/audit',
    query: auditQuery,
  }),
}
