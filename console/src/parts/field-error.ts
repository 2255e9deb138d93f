/**
 * The error of the API about a field of a form.
 */
import { ApiError } from '../api/send.ts'

export function fieldError(error: unknown, field: string): string | undefined {
  return error instanceof ApiError ? error.of(field) : undefined
}

/** Returns the property of a field for the text, if there is one. */
export function errorProps(error: string | undefined): { error?: string } {
  return error === undefined ? {} : { error }
}
