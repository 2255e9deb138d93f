/** Contract of the route that shows the state of the deployment. */
import { contract } from '../../../http/contract.ts'

export const healthContracts = {
  getHealth: contract({ scope: null, touches: null, role: 'viewer', method: 'get', path: '/admin/health' }),
}
