/** Shared by the tests of the admin API: a tenant to work on, and the error responses. */
import { expect } from 'vitest'
import { admin } from '../../support/roster.ts'

export const COMPANY = { company_name: 'Acme Financial', contact_email: 'compliance@acmefinancial.com' }

export async function make(fields: Record<string, unknown> = {}) {
  const { status, body } = await admin('POST', '', { ...COMPANY, ...fields })
  expect(status).toBe(201)
  return body
}

/** Returns a whole error body of the admin API. */
export function error(status: number, code: string, details: object = expect.anything()) {
  const message = expect.stringMatching(/./)
  return { success: false, error: { message, internal_error: '' }, code, message, http_status_code: status, details }
}

export function problem(field: string) {
  return {
    errors: expect.arrayContaining([{ field, message: expect.stringMatching(/./), fix: expect.stringMatching(/./) }]),
  }
}
