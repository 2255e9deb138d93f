/**
 * Decides which URLs Roster may call: public hosts over HTTPS, and nothing else. A tenant chooses these URLs, and could
 * use one to make Roster call a host that the tenant itself cannot reach. So each URL is checked when it is configured
 * and again before each call. Pure over the text and over the resolved addresses; the look-up is handed in, and its
 * result may be 30 s old (`resolve.ts`).
 *
 * One thing is not checked: a name may resolve to another address between the look-up and the call. A Worker runs in no
 * private network of its owner, so no private host is behind such an address; the runtime refuses loopback itself.
 */
import ipaddr from 'ipaddr.js'

/**
 * Resolves a name to all its addresses, or to an empty list if there is no such name. Rejects when the look-up fails.
 */
export type Resolve = (name: string) => Promise<string[]>

export interface DestinationRules {
  resolve: Resolve
  /** For development: also allows calls to this machine, without TLS. */
  allowLocal: boolean
}

/** A problem with a URL: a `message` that follows the name of the field, and the fix. */
export interface DestinationProblem {
  message: string
  fix: string
  /** True when there is no such host at present. */
  isMissing?: boolean
}

type Judged = { href: string; lookUp: string | null; problem?: undefined } | { problem: DestinationProblem }

const URL_LENGTH_MAX = 2_048
/** HTTPS is allowed on its own port and on ports above those that are reserved for other services. */
const HTTPS_PORT = 443
const UNRESERVED_PORT_MIN = 1_024

/** Suffixes of names that have a meaning in private networks only, or another one in public. */
const PRIVATE_SUFFIXES = [
  'localhost',
  'localdomain',
  'local',
  'internal',
  'intranet',
  'private',
  'corp',
  'home',
  'lan',
  'home.arpa',
  'onion',
]

/** Global unicast (RFC 4291). The rest of IPv6 is translations, tunnels, private or unassigned. */
const IPV6_PUBLIC: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3]
/** A public address, but inside Azure it is the host machine of the caller. */
const AZURE_HOST = '168.63.129.16'

const OUTSIDE = 'send the URL of a host that anyone can reach, such as https://hooks.example.com/roster'

/** Returns null when the URL may be called now; else why not. Rejects when its name cannot be looked up. */
export async function problemOfDestination(
  text: string,
  { resolve, allowLocal }: DestinationRules,
): Promise<DestinationProblem | null> {
  const judged = judgeUrl(text, allowLocal)
  if (judged.problem) return judged.problem
  if (judged.lookUp === null) return null
  const addresses = await resolve(judged.lookUp)
  if (addresses.length === 0) {
    return { message: 'names a host that does not exist', fix: 'correct the name of the host', isMissing: true }
  }
  return addresses.every(isPublicAddress) ? null : { message: 'names a host that is not public', fix: OUTSIDE }
}

/** Judges the text of a URL alone. `lookUp` is the name that is still to be resolved; null for this machine. */
function judgeUrl(text: string, allowLocal: boolean): Judged {
  if (text.length > URL_LENGTH_MAX) {
    const fix = `shorten it to ${URL_LENGTH_MAX}`
    return { problem: { message: `is longer than ${URL_LENGTH_MAX} characters`, fix } }
  }
  // A URL parser removes or converts these characters, so readers of the text would see another host than the parser
  // does.
  const url = /[\s\\\p{Cc}]/u.test(text) || !URL.canParse(text) ? null : new URL(text)
  if (!url) return { problem: { message: 'is not a URL', fix: OUTSIDE } }
  if (url.username !== '' || url.password !== '') {
    return { problem: { message: 'holds credentials', fix: 'take them out: the signature says who calls' } }
  }
  if (url.hash !== '')
    return { problem: { message: 'has a fragment, which is never sent', fix: 'leave out # and after' } }
  if (allowLocal && isLocal(url)) return { href: url.href, lookUp: null }
  if (url.protocol !== 'https:') return { problem: { message: 'is not an https URL', fix: OUTSIDE } }
  const port = url.port === '' ? HTTPS_PORT : Number(url.port)
  if (port !== HTTPS_PORT && port < UNRESERVED_PORT_MIN) {
    const fix = `use port ${HTTPS_PORT}, or one from ${UNRESERVED_PORT_MIN} on`
    return { problem: { message: `names port ${port}, which is for other services`, fix } }
  }
  return judgeHost(url)
}

function judgeHost(url: URL): Judged {
  const host = hostOf(url)
  // Public addresses too: Cloudflare lets no Worker call an address (error 1003), so every call would fail.
  if (ipaddr.isValid(host)) {
    return {
      problem: { message: 'names an address instead of a host', fix: 'send the name of a host that anyone can reach' },
    }
  }
  const isPrivate = PRIVATE_SUFFIXES.some((suffix) => host === suffix || host.endsWith(`.${suffix}`))
  // A name of one label is resolved within the domain of the caller.
  if (isPrivate || !host.includes('.')) return { problem: { message: 'names a host that is not public', fix: OUTSIDE } }
  return { href: url.href, lookUp: host }
}

export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) return false
  const address = ipaddr.parse(text)
  if (address.range() !== 'unicast' || text === AZURE_HOST) return false
  return !(address instanceof ipaddr.IPv6) || address.match(IPV6_PUBLIC)
}

/** Returns true for this machine, by name or by address. */
function isLocal(url: URL): boolean {
  const host = hostOf(url)
  const isWeb = url.protocol === 'http:' || url.protocol === 'https:'
  const isLoopback = ipaddr.isValid(host) && ipaddr.parse(host).range() === 'loopback'
  return isWeb && (host === 'localhost' || isLoopback)
}

/**
 * Returns the host as an address or a name is written: no brackets around IPv6, no dot at the end. The URL parser has
 * normalised the rest.
 */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
}
