/** Contracts of the routes of the console's session, and of who the caller is. */
import * as z from 'zod'
import { contract } from '../../../http/contract.ts'

const SESSION = '/admin/session'
/** Far above the length of a token. */
const TOKEN_LENGTH_MAX = 200

export const signInContracts = {
  // The caller proves who it is in the request itself, by a key, a sign-in link or Cloudflare Access.
  startSession: contract({
    scope: null,
    touches: null,
    role: null,
    method: 'post',
    path: SESSION,
    body: { schema: () => z.object({ token: z.string().max(TOKEN_LENGTH_MAX).optional() }), optional: true },
  }),
}

export const sessionContracts = {
  getSession: contract({ scope: null, touches: null, role: 'viewer', method: 'get', path: SESSION }),
  endSession: contract({ scope: null, touches: null, role: 'viewer', method: 'delete', path: SESSION }),
  getMe: contract({ scope: null, touches: null, role: 'viewer', method: 'get', path: '/admin/me' }),
}
