/**
 * Reads the headers that mean the same in every HTTP API, for the registry, which does not depend on HTTP.
 */
import type { RequestOptions } from '../gate/isolate/deps.ts'
import type { InputFailure, InputProblem } from '../registry/errors.ts'
import type { HttpContext } from './api.ts'
import { prefers } from './prefer.ts'

const HEADERS = { consistencyToken: 'consistency-token', reason: 'x-reason' } as const

/** Reads the options of a request. Ignores `x-reason` and `prefer` of a read, because they apply to changes only. */
export function requestOptionsOf(c: HttpContext): RequestOptions {
  const { headers, method } = c.req.raw
  const isRead = method === 'GET' || method === 'HEAD'
  return {
    requestId: c.get('requestId'),
    consistencyToken: headers.get(HEADERS.consistencyToken),
    reason: isRead ? null : headers.get(HEADERS.reason),
    strongConsistency: !isRead && prefers(c, 'consistency', 'strong'),
  }
}

/** Returns the problem of an option, with the name of its header as the field. */
export function headerProblem({
  option,
  message,
  fix,
}: Extract<InputFailure, { reason: 'invalid_option' }>): InputProblem {
  return { field: HEADERS[option], message, fix }
}
