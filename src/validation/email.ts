/**
 * E-mail addresses: which ones are accepted, and which ones are the same. The grammar is the mailbox of RFC 5321 with
 * the characters of RFC 6531, without its rare forms: no quoted local part and no address literal. An address is
 * stored as it was sent. The runtime's URL parser applies IDNA (UTS #46) to the domain.
 */
import { LIMITS } from '../registry/customer.ts'
import { utf8 } from '../shared/bytes.ts'
import type { Fault } from './fault.ts'

const LOCAL_OCTETS_MAX = 64
const LABEL_OCTETS_MAX = 63
const DOMAIN_OCTETS_MAX = 253
export const EMAIL_OCTETS_MAX = LIMITS.emailLengthMax

/** `atext` of RFC 5322, and every character beyond ASCII. */
const DOT_ATOM = /^[\w!#$%&'*+/=?^`{|}~\u{80}-\u{10ffff}-]+(?:\.[\w!#$%&'*+/=?^`{|}~\u{80}-\u{10ffff}-]+)*$/u
/**
 * Controls, characters that set the direction, spaces, and others that show nothing. U+2800 is a braille cell without a
 * dot.
 */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Z}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u2800]/u
const LDH_LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/i
const NOT_IN_DOMAIN = /[^a-z0-9.\u{80}-\u{10ffff}-]/iu
const NON_ASCII = /[^\0-\x7f]/

const EXAMPLE = 'such as billing@example.com'

/** Returns why the text is no e-mail address; null if it is one. */
export function emailFault(address: string): Fault | null {
  const fault = (why: string, fix: string): Fault => ({ message: `is not a valid e-mail address: ${why}`, fix })
  // First, because the work for a domain grows faster than its length.
  if (utf8(address).length > EMAIL_OCTETS_MAX) {
    return fault(`it is longer than ${EMAIL_OCTETS_MAX} bytes`, `stay within ${EMAIL_OCTETS_MAX}`)
  }
  const invisible = INVISIBLE.exec(address)?.[0]
  if (invisible !== undefined) {
    return fault(`it holds ${codePointName(invisible)}`, 'remove spaces, controls and invisible characters')
  }
  if (/[<>]/.test(address)) return fault('it has angle brackets', `send the address alone, ${EXAMPLE}`)
  if (/^mailto:/i.test(address)) return fault('it begins with mailto:', 'leave mailto: out')
  const at = address.lastIndexOf('@')
  if (at === -1) return fault('it has no @', `send an address ${EXAMPLE}`)
  const [local, domain] = [address.slice(0, at), address.slice(at + 1)]
  if (local === '') return fault('nothing is before the @', `send an address ${EXAMPLE}`)
  if (/^\.|\.\.|\.$/.test(local)) return fault('a full stop begins, ends or follows another before the @', 'remove it')
  if (!DOT_ATOM.test(local)) {
    const fix = "use letters, digits and !#$%&'*+-/=?^_`{|}~ before the @, without quotes or comments"
    return fault('it has a character that cannot be before the @', fix)
  }
  if (utf8(local).length > LOCAL_OCTETS_MAX) {
    return fault(`more than ${LOCAL_OCTETS_MAX} bytes are before the @`, `stay within ${LOCAL_OCTETS_MAX}`)
  }
  const inDomain = domainFault(domain)
  return inDomain && fault(inDomain.message, inDomain.fix)
}

function domainFault(domain: string): Fault | null {
  if (domain === '') return { message: 'nothing is after the @', fix: `send an address ${EXAMPLE}` }
  if (domain.startsWith('[')) {
    return { message: 'it names an address instead of a domain', fix: 'send the name of the domain' }
  }
  if (NOT_IN_DOMAIN.test(domain)) {
    return { message: 'its domain has a character that no domain has', fix: 'use letters, digits, "-" and "."' }
  }
  const labels = domain.split('.')
  if (labels.includes('')) {
    return { message: 'a full stop begins, ends or follows another in its domain', fix: 'remove it' }
  }
  const ascii = asciiDomain(domain)
  const asciiLabels = ascii?.split('.')
  // The parser also converts look-alikes, such as full-width letters and other full stops. Mail systems do not.
  const isConverted = labels.some(
    (label) => label.normalize('NFKC').toLowerCase() !== label.normalize('NFC').toLowerCase(),
  )
  if (ascii === null || asciiLabels?.length !== labels.length || isConverted) {
    return { message: 'its domain is not one that IDNA allows', fix: 'correct the domain' }
  }
  if (!asciiLabels.every((label) => LDH_LABEL.test(label))) {
    return { message: 'a part of its domain begins or ends with "-"', fix: 'correct the domain' }
  }
  if (asciiLabels.some((label) => label.length > LABEL_OCTETS_MAX) || ascii.length > DOMAIN_OCTETS_MAX) {
    const message = `its domain is longer than ${DOMAIN_OCTETS_MAX} bytes, or a part of it than ${LABEL_OCTETS_MAX}`
    return { message, fix: 'correct the domain' }
  }
  if (/^\d+$/.test(asciiLabels.at(-1) ?? '')) {
    return { message: 'its domain ends in a number', fix: 'send the name of the domain, not an IP address' }
  }
  return null
}

/** The URL parser checks no Punycode in a domain of ASCII alone, so each one gets a last label that is not ASCII. */
const ANCHOR = { text: '.\u00fc', ascii: '.xn--tda' }

/** Returns a domain as ASCII in lower case; null if it is none. `domain` has no ASCII characters but letters, digits, "-" and ".". */
function asciiDomain(domain: string): string | null {
  if (!NON_ASCII.test(domain) && !/(?:^|\.)xn--/i.test(domain)) return domain.toLowerCase()
  const url = `http://${domain}${ANCHOR.text}`
  return URL.canParse(url) ? new URL(url).hostname.slice(0, -ANCHOR.ascii.length) : null
}

/**
 * Returns the address with its domain in ASCII, if the domain has other characters; else null. `ada@münchen.de`,
 * `ada@MÜNCHEN.de` and `ada@xn--mnchen-3ya.de` are one address, and two addresses are the same if they differ in the
 * case of ASCII letters only.
 */
export function asciiEmail(address: string): string | null {
  const at = address.lastIndexOf('@')
  const domain = address.slice(at + 1)
  if (at === -1 || !NON_ASCII.test(domain) || NOT_IN_DOMAIN.test(domain)) return null
  const ascii = asciiDomain(domain)
  return ascii === null ? null : `${address.slice(0, at)}@${ascii}`
}

function codePointName(character: string): string {
  return `U+${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}`
}
