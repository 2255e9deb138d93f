/**
 * Contracts of the Worker's own routes, which need no key. They ignore the query string, because monitors add
 * parameters of their own.
 */
import { contract } from '../../http/contract.ts'

const OPEN = { method: 'get', scope: null, touches: null, query: null } as const

export const serviceContracts = {
  health: contract({ ...OPEN, path: '/healthz' }),
  readiness: contract({ ...OPEN, path: '/readyz' }),
}
