/** Makes the responses of the fake account: a result, or an error in the form of Cloudflare's API. */

/** An error response: `{success: false, errors: [{code, message}]}` under that status. */
export class Refusal {
  readonly status: number
  readonly code: number
  readonly message: string

  constructor(status: number, code: number, message: string) {
    this.status = status
    this.code = code
    this.message = message
  }
}

export const NO_WORKER = new Refusal(404, 10007, 'This Worker does not exist on your account.')

/** An id as Cloudflare writes them: 32 hexadecimal digits. */
export function hex(number: number): string {
  return number.toString(16).padStart(32, '0')
}

/** The body of the response, for a result or a refusal. */
export function bodyOf(answer: unknown): string {
  if (answer instanceof Refusal) {
    const { code, message } = answer
    return JSON.stringify({ success: false, errors: [{ code, message }], messages: [], result: null })
  }
  const list = Array.isArray(answer) ? { result_info: { page: 1, total_pages: 1, count: answer.length } } : {}
  return JSON.stringify({ success: true, errors: [], messages: [], result: answer, ...list })
}
