/**
 * Experiment 9: the result of `fetch` in a Worker for hosts that do not answer. Webhooks classify their receivers by
 * it.
 */
import { cloudflareErrorOf } from '../../../src/events/cloudflare-answers.ts'
import { type Check, experiment, type Judgement, short } from '../experiment.ts'

interface Reached {
  status: number | null
  headers: Record<string, string | null>
  /** The beginning. */
  body: string | null
  error: string | null
}

type Seen = Record<string, Reached>

/**
 * Public hosts made for such tests: sslip.io resolves a name to the address in it, here one that no host has (RFC
 * 5737); scanme.nmap.org may be connected to by anyone; badssl.com serves wrong certificates.
 */
export const TARGETS: Record<string, string> = {
  dead: 'http://192-0-2-1.sslip.io/',
  unknown: 'https://nothing-is-here.invalid/',
  closed: 'http://scanme.nmap.org:8081/',
  certificate: 'https://wrong.host.badssl.com/',
}

/** Judges by the rule that webhooks use. */
function judge(target: string): (seen: Seen) => Judgement {
  return (seen) => {
    const reached = seen[target]
    if (!reached) return { verdict: 'unclear', seen: 'not tried' }
    const { status, headers, body, error } = reached
    if (status === null) return { verdict: 'harmless', seen: short(`throws: ${error}`) }
    const given = Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== null)
    const known = cloudflareErrorOf(status, new Headers(given), body ?? '')
    const verdict = { connection_failed: 'expected', refused_by_cloudflare: 'harmless' } as const
    const text = `${status}, server: ${headers.server ?? 'none'}, ${short(body ?? '')}`
    return { verdict: known ? verdict[known] : 'different', seen: short(`${known ?? 'not recognised'}: ${text}`) }
  }
}

function check(name: string, target: string): Check<Seen> {
  return {
    name,
    expected: 'connection_failed, by 52x or 530',
    meaning:
      "Roster takes Cloudflare's answer for the receiver's own: tenants read a status that their system never gave, and a 4xx ends an onboarding at its first try. Have it recognised as a failed connection.",
    harmless:
      'It is no delivery and is tried again, but recorded otherwise than the pages say. Correct the page about webhooks.',
    change: [{ file: 'src/events/cloudflare-answers.ts', text: 'CONNECTION_STATUSES' }],
    judge: judge(target),
  }
}

export const hosts = experiment<Seen>({
  number: 9,
  title: 'Dead hosts: what does a Worker see of them?',
  budgetMs: 240_000,
  async run({ probe }) {
    const names = Object.keys(TARGETS)
    const reached = await Promise.all(names.map((target) => probe<Reached>('reach', { target })))
    return Object.fromEntries(names.map((name, at) => [name, reached[at] as Reached]))
  },
  checks: [
    check('host that does not answer', 'dead'),
    check('name without an address', 'unknown'),
    check('closed port', 'closed'),
    check('wrong certificate', 'certificate'),
  ],
})
