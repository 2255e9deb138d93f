/** Tests the meaning of the response to a webhook step: the status comes first, then the body. */
import { expect, it } from 'vitest'
import type { Posted } from '../../../src/events/deliver.ts'
import { stepFormat } from '../../../src/onboarding/step-format.ts'
import { resultOfResponse } from '../../../src/onboarding/webhook-step.ts'
import type { Customer } from '../../../src/registry/customer.ts'

const CUSTOMER = { integrations: [] } as unknown as Customer
const CUT = 'with a body that broke off or is not in its content-encoding'

function resultOf(statusCode: number, answer: string, isCut: boolean) {
  const posted: Posted = { statusCode, error: null, answer, isCut, durationMs: 1, retryAfterMs: null }
  return resultOfResponse(posted, CUSTOMER, stepFormat)
}

it('fails for good by a status that says so, whatever the body is, and is attempted again after the others', () => {
  for (const isCut of [false, true]) {
    for (const answer of ['', '{"metadata":{"a":"b"}}', '{"metadata":']) {
      for (const status of [301, 304, 400, 404, 410, 422]) {
        expect(resultOf(status, answer, isCut)).toEqual({ error: `answered ${status}`, final: true })
      }
      for (const status of [408, 429, 500, 503, 599]) {
        expect(resultOf(status, answer, isCut)).toEqual({ error: `answered ${status}`, final: false })
      }
    }
  }
})

it('takes the data of a whole body alone: a part of it could be other data', () => {
  const text = '{"metadata":{"a":"b"}}'
  for (const status of [200, 201, 204]) {
    expect(resultOf(status, text, false)).toEqual({ changes: { metadata: { merge: { a: 'b' } } } })
    expect(resultOf(status, '', false)).toEqual({ changes: null })
    for (const part of ['', text.slice(0, 9), text]) {
      expect(resultOf(status, part, true)).toEqual({ error: `answered ${status} ${CUT}`, final: false })
    }
  }
})
