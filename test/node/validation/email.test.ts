/** Which e-mail addresses are accepted, against a statement of the grammar that shares nothing with the rule. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { asciiEmail, emailFault } from '../../../src/validation/email.ts'

const isAccepted = (address: string) => emailFault(address) === null
const octets = (text: string) => Buffer.byteLength(text)

/**
 * RFC 5321, section 4.1.2, by hand: `Mailbox = Dot-string "@" sub-domain *("." sub-domain)`, with the limits of section 4.5.3 and
 * of RFC 1035. ASCII only.
 */
function isMailbox(text: string): boolean {
  const at = text.indexOf('@')
  if (at < 1 || text.indexOf('@', at + 1) !== -1) return false
  const atoms = text.slice(0, at).split('.')
  const labels = text.slice(at + 1).split('.')
  const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
  const digits = '0123456789'
  const only = (part: string, allowed: string) => part.length > 0 && [...part].every((one) => allowed.includes(one))
  return (
    atoms.every((atom) => only(atom, `${letters}${digits}!#$%&'*+-/=?^_\`{|}~`)) &&
    at <= 64 &&
    text.length <= 254 &&
    labels.every((label) => only(label, `${letters}${digits}-`) && label.length <= 63) &&
    labels.every((label) => !label.startsWith('-') && !label.endsWith('-') && !/^xn--/i.test(label)) &&
    !only(labels.at(-1) ?? '', digits)
  )
}

const part = fc.oneof(
  { weight: 4, arbitrary: fc.stringMatching(/^[A-Za-z0-9]{1,5}$/) },
  fc.stringMatching(/^[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,6}$/),
  fc.constantFrom('', '-', 'a-', '-a', ' ', '"a"', '(c)', 'a,b', ':', '\\', '[1]', '<', '>', '\t', '\n', '\u007f'),
  fc.integer({ min: 60, max: 66 }).map((length) => 'x'.repeat(length)),
)
const dotted = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('.'))

describe('an address of ASCII', () => {
  it('is accepted exactly if it is a dot-string at a domain of RFC 5321', () => {
    const seen = { true: 0, false: 0 }
    fc.assert(
      fc.property(
        fc.oneof(
          fc.tuple(dotted, dotted).map((two) => two.join('@')),
          dotted,
        ),
        (address) => {
          const expected = isMailbox(address)
          seen[`${expected}`]++
          expect(isAccepted(address), address).toBe(expected)
        },
      ),
      { numRuns: 2_000 },
    )
    expect(Math.min(seen.true, seen.false)).toBeGreaterThan(100)
  })

  it('has at most 64 bytes before the @, 63 in a label and 254 in all', () => {
    const domain = (length: number) => `${`${'a'.repeat(49)}.`.repeat(3)}${'b'.repeat(length - 150)}`
    expect(isAccepted(`${'a'.repeat(64)}@b.co`)).toBe(true)
    expect(isAccepted(`${'a'.repeat(65)}@b.co`)).toBe(false)
    expect(isAccepted(`a@${'b'.repeat(63)}.co`)).toBe(true)
    expect(isAccepted(`a@${'b'.repeat(64)}.co`)).toBe(false)
    expect(isAccepted(`${'a'.repeat(64)}@${domain(189)}`)).toBe(true)
    expect(isAccepted(`${'a'.repeat(64)}@${domain(190)}`)).toBe(false)
  })
})

describe('an address beyond ASCII', () => {
  it.each([
    'ada@münchen.de',
    'ada@MÜNCHEN.de',
    'ada@xn--mnchen-3ya.de',
    'дмитрий@пример.рф',
    '用户@例え.jp',
    'josé.garcía@example.es',
    'ada@faß.de',
    'ada@مثال.إختبار',
  ])('%s is accepted', (address) => {
    expect(emailFault(address)).toBeNull()
  })

  it.each([
    ['a label that is no Punycode', 'ada@xn--a.de'],
    ['a label that is empty Punycode', 'ada@xn--.de'],
    ['letters of both directions in a label', 'ada@aא.com'],
    ['a full-width letter', 'ada@\uff45xample.com'],
    ['a ligature', 'ada@\ufb01x.com'],
    ['an ideographic full stop', 'ada@例え\u3002jp'],
    ['a label that is too long in ASCII', `ada@${'ü'.repeat(60)}.de`],
    ['a sign for the number and its stop', 'ada@\u2488com'],
    ['a solidus in disguise', 'ada@a\uff0fb.com'],
    ['more than 64 bytes before the @', `${'ü'.repeat(33)}@b.co`],
  ])('with %s is refused', (_what, address) => {
    expect(isAccepted(address)).toBe(false)
  })

  it('never holds a control, a space, or a character that shows nothing or sets the direction', () => {
    const hidden = fc.oneof(
      fc.constantFrom('\0', '\x1b', '\x7f', '\x85', '\xa0', '\xad', '\u034f', '\u061c', '\u115f', '\u180e', '\u200b'),
      fc.constantFrom(
        '\u200d',
        '\u200e',
        '\u202e',
        '\u2028',
        '\u2060',
        '\u2066',
        '\u2800',
        '\u3000',
        '\u3164',
        '\ufe0f',
      ),
      fc.constantFrom('\ufeff', '\uffa0', '\uffff', '\ud800', '\u{e0020}', '\u{1d173}'),
    )
    fc.assert(
      fc.property(
        hidden,
        fc.constantFrom('ada@example.com', 'юра@пример.рф'),
        fc.nat(),
        (character, address, place) => {
          const at = place % (address.length + 1)
          const with_ = address.slice(0, at) + character + address.slice(at)
          expect(isAccepted(with_), JSON.stringify(with_)).toBe(false)
          expect(emailFault(with_)?.message).toMatch(/it holds U\+[0-9A-F]{4,6}$/)
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('the reason of a refusal', () => {
  it.each([
    ['ada@example..com', /full stop/],
    ['.ada@example.com', /full stop/],
    ['<ada@example.com>', /angle brackets/],
    ['mailto:ada@example.com', /mailto/],
    ['Ada Lovelace <ada@example.com>', /U\+0020/],
    ['ada', /no @/],
    ['@example.com', /before the @/],
    ['ada@', /after the @/],
    ['ada@[192.0.2.1]', /address instead of a domain/],
    ['ada@192.0.2.1', /ends in a number/],
    ['"ada"@example.com', /character that cannot be before/],
    ['ada@exa_mple.com', /character that no domain has/],
    ['ada@-example.com', /"-"/],
  ])('says what is wrong with %s', (address, reason) => {
    const { message = '', fix = '' } = emailFault(address) ?? {}
    expect(message).toMatch(reason)
    expect(fix).not.toBe('')
  })
})

describe('the spelling of a domain', () => {
  it('does not matter: every one gives the same address in ASCII, or is ASCII', () => {
    const spellings = ['münchen.de', 'MÜNCHEN.de', 'MünChen.DE', 'mu\u0308nchen.de']
    expect(new Set(spellings.map((domain) => asciiEmail(`Ada@${domain}`)))).toEqual(new Set(['Ada@xn--mnchen-3ya.de']))
    expect(asciiEmail('Ada@xn--mnchen-3ya.de')).toBeNull()
    expect(asciiEmail('Ada@Example.com')).toBeNull()
  })

  it('in ASCII is an address with the same text before the @', () => {
    const label = fc.string({ unit: fc.constantFrom('ä', 'б', 'γ', 'a', '1', '例'), minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z]{1,5}$/),
        fc.array(label, { minLength: 1, maxLength: 3 }),
        (local, labels) => {
          const address = `${local}@${labels.join('.')}.de`
          const ascii = asciiEmail(address) ?? address
          expect(ascii).toMatch(/^[\x21-\x7e]+$/)
          expect(ascii.startsWith(`${local}@`)).toBe(true)
          expect([isAccepted(address), octets(ascii)]).toEqual([isAccepted(ascii), ascii.length])
        },
      ),
    )
  })

  it('is left as it is in a text that is no address', () => {
    for (const text of ['', 'ada', 'ada@', 'ada@a b.ü', 'ada@ü/x', 'ada@\ud800ü', '@'])
      expect(asciiEmail(text)).toBeNull()
  })
})
