/**
 * Sends back the consistency token of the last write, as a client does that reads its own writes. Without it a read may be
 * up to a second old (promise C3).
 */
import { expect } from 'vitest'
import { type Called, type CallOptions, call as callOnce } from '../../support/roster.ts'

const tokens = new Map<string, string>()

export async function call(method: string, path: string, options: CallOptions = {}): Promise<Called> {
  const known = method === 'GET' && options.key !== undefined ? tokens.get(options.key) : undefined
  const headers = known === undefined ? options.headers : { 'consistency-token': known, ...options.headers }
  const answer = await callOnce(method, path, { ...options, ...(headers && { headers }) })
  const token = answer.headers.get('consistency-token')
  if (token !== null && options.key !== undefined) tokens.set(options.key, token)
  return answer
}

export const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

/** Returns a whole error body of the FlatPeak API. */
export function error(type: string, code: string, message: unknown, rest: object = {}) {
  return { object: 'error', live_mode: true, type, code, message, time_created: expect.stringMatching(ISO), ...rest }
}
