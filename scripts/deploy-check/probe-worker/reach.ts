/** Fetches one of a few URLs that were chosen at the deployment, as a webhook would be delivered. */
import { errorText } from './error-text.ts'

/** Longer than Cloudflare waits for a host that does not answer. */
const TIMEOUT_MS = 60_000
const BODY_CHARACTERS = 500
/** The headers that distinguish Cloudflare's responses from those of a receiver. */
const HEADERS = ['server', 'cf-ray', 'cf-mitigated', 'content-type']

/** Returns the status, some headers and the beginning of the body; or the error, where `fetch` throws. */
export async function reach(targets: Record<string, string>, name: string) {
  const url = targets[name]
  if (url === undefined) throw new Error(`There is no target ${name}`)
  try {
    const answer = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) })
    const headers = Object.fromEntries(HEADERS.map((header) => [header, answer.headers.get(header)]))
    return { status: answer.status, headers, body: (await answer.text()).slice(0, BODY_CHARACTERS), error: null }
  } catch (error) {
    return { status: null, headers: {}, body: null, error: errorText(error) }
  }
}
