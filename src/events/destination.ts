/**
 * Where Roster lets itself be sent: public hosts over HTTPS, and nothing else. A tenant chooses the URLs that Roster calls, so
 * each is a way to have it call what the tenant can not reach: judged when it is configured and again each time before it
 * is called. Pure over the text and over what the names resolve to; the look-up is handed in, and what it says may be 30 s
 * old (`resolve.ts`).
 *
 * What this can not see: a name may resolve to something else between the look-up and the call. Workers run in no private
 * network of their owner, so there is nothing of his behind such an address; loopback is the runtime's own and refuses.
 */
import ipaddr from 'ipaddr.js'

/** The addresses of a name, all of them; none if there is no such name. Rejects when that can not be found out. */
export type Resolve = (name: string) => Promise<string[]>

export interface DestinationRules {
  resolve: Resolve
  /** For development: the machine itself may be called too, without TLS. */
  allowLocal: boolean
}

/** What is wrong, in words that go behind the name of a field, and the mend. */
export interface DestinationProblem {
  message: string
  fix: string
  /** There is no such host, now. */
  isMissing?: boolean
}

type Judged = { href: string; lookUp: string | null; problem?: undefined } | { problem: DestinationProblem }

const URL_LENGTH_MAX = 2_048
/** HTTPS is served at its own port or above those that are reserved for other services. */
const HTTPS_PORT = 443
const UNRESERVED_PORT_MIN = 1_024

/** Names that mean something on some private network, and nothing, or something else, in public. */
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

/** Global unicast (RFC 4291); the rest of IPv6 is translations, tunnels, private or not given out. */
const IPV6_PUBLIC: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3]
/** Public by its range, but inside Azure it is the host of the machine that asks. */
const AZURE_HOST = '168.63.129.16'

const OUTSIDE = 'send the URL of a host that anyone can reach, such as https://hooks.example.com/roster'

/** Null when the URL may be called now; else why not. Rejects when its name can not be looked up. */
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

/** What the text alone shows. `lookUp` is the name that is still to be resolved; null for this machine. */
function judgeUrl(text: string, allowLocal: boolean): Judged {
  if (text.length > URL_LENGTH_MAX) {
    const fix = `shorten it to ${URL_LENGTH_MAX}`
    return { problem: { message: `is longer than ${URL_LENGTH_MAX} characters`, fix } }
  }
  // A parser of URLs takes these away or turns them round, and readers of the text would see another host than it does.
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
  // Public ones too: Cloudflare lets no Worker call an address (error 1003), so it would fail for ever.
  if (ipaddr.isValid(host)) {
    return {
      problem: { message: 'names an address instead of a host', fix: 'send the name of a host that anyone can reach' },
    }
  }
  const isPrivate = PRIVATE_SUFFIXES.some((suffix) => host === suffix || host.endsWith(`.${suffix}`))
  // A name of one label is looked for in whatever domain the caller happens to be.
  if (isPrivate || !host.includes('.')) return { problem: { message: 'names a host that is not public', fix: OUTSIDE } }
  return { href: url.href, lookUp: host }
}

export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) return false
  const address = ipaddr.parse(text)
  if (address.range() !== 'unicast' || text === AZURE_HOST) return false
  return !(address instanceof ipaddr.IPv6) || address.match(IPV6_PUBLIC)
}

/** This machine, by name or by address. */
function isLocal(url: URL): boolean {
  const host = hostOf(url)
  const isWeb = url.protocol === 'http:' || url.protocol === 'https:'
  const isLoopback = ipaddr.isValid(host) && ipaddr.parse(host).range() === 'loopback'
  return isWeb && (host === 'localhost' || isLoopback)
}

/** As an address or a name is written: no brackets around IPv6, no dot at the end. The URL parser has done the rest. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
}
