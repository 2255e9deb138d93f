/**
 * Distinguishes responses of a receiver from those that Cloudflare made in its place. In production `fetch` does not
 * throw when a host cannot be reached: it returns a Response with status 52x or 530. A Cloudflare zone in front of a
 * receiver may also refuse a request (WAF, challenge, rate limit, error 1xxx) before the receiver has seen it. Pure.
 */

/** `connection_failed`: no connection to the receiver. `refused_by_cloudflare`: refused in front of the receiver. */
export type CloudflareError = 'connection_failed' | 'refused_by_cloudflare'

/** 520 to 527: no connection to the receiver's server, or it spoke no HTTP. 530: error 1016 and others, mostly DNS. */
const CONNECTION_STATUSES = new Set([520, 521, 522, 523, 524, 525, 526, 527, 530])

/** Body that Cloudflare sends to clients that are not browsers: `error code: 1016`. */
const ERROR_CODE = /^\s*error code: 1\d{3}\s*$/
/**
 * Title of Cloudflare's pages for browsers: "Attention Required! | Cloudflare", "… used Cloudflare to restrict access".
 */
const ERROR_PAGE = /<title>[^<]*\bCloudflare\b[^<]*<\/title>/i

/**
 * Returns null for a response of the receiver itself. A receiver behind Cloudflare also sends `server: cloudflare` and
 * `cf-ray`. So for statuses other than 52x and 530 these headers prove nothing, and the body or `cf-mitigated` decides.
 * `answer` is the beginning of the body, as far as it could be read. A 2xx is never refused for its body.
 */
export function cloudflareErrorOf(status: number, headers: Headers, answer: string): CloudflareError | null {
  const cameThrough = headers.get('server') === 'cloudflare' || headers.has('cf-ray')
  const hasErrorCode = ERROR_CODE.test(answer)
  if (CONNECTION_STATUSES.has(status)) return cameThrough || hasErrorCode ? 'connection_failed' : null
  // Other 5xx are retried in any case, so it does not matter who sent them.
  if (status >= 500) return null
  if (headers.get('cf-mitigated') === 'challenge') return 'refused_by_cloudflare'
  if (status < 300) return null
  return hasErrorCode || (cameThrough && ERROR_PAGE.test(answer)) ? 'refused_by_cloudflare' : null
}
