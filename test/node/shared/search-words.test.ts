import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { asciiLower } from '../../../src/shared/fold.ts'
import { ownWords, wordsOf, wordsOfEmail, wordsOfName } from '../../../src/storage/customers/search-words.ts'

/** The letters, digits and `tokenchars` of the index (migrations/0007_search.sql), and all beyond ASCII. */
const IN_THE_INDEX = /^[!#-&(-[\]^_a-~\u0080-\u{10ffff}]+$/u

const text = fc.string({ unit: 'binary', maxLength: 20 })

describe('the words of a customer', () => {
  it.each([
    ['Maria Smith', ['maria', 'smith']],
    ['  MARÍA\u00a0\u3000Şmith\n', ['maria', 'smith']],
    ['Jean-Luc (Lucky) O\u2019Neil', ['jean-luc', 'luc', '(lucky)', 'lucky', 'o\u2019neil', 'neil']],
    ["O'Neil", ['o\u2019neil', 'neil']],
    ['GmbH & Co.', ['gmbh', '&', 'co.']],
    ['co\u00adop\u200b', ['coop']],
    ['a\u0007b', ['a', 'b']],
    ['\u0301 \u200b', []],
    ['东京 タワー', ['东京', 'タワー'.normalize('NFKD')]],
  ])('are those of the name %j: %j', (name, words) => {
    expect(wordsOfName(name)).toEqual(words)
  })

  it('are the address and its domain, in both spellings', () => {
    expect(wordsOfEmail('Ada.L@Example.com')).toEqual(['ada.l@example.com', 'example.com'])
    const both = ['ada@bucher.de', 'bucher.de', 'ada@xn--bcher-kva.de', 'xn--bcher-kva.de']
    expect(wordsOfEmail('ada@bücher.de')).toEqual(both)
  })

  it('have no character that the index takes for the end of a word or of a string', () => {
    const BLOCK = 256
    for (let first = 0; first <= 0x10ffff; first += BLOCK) {
      const any = Array.from({ length: BLOCK }, (_, at) => `a${String.fromCodePoint(first + at)}`).join(' ')
      expect(wordsOfName(any).filter((word) => !IN_THE_INDEX.test(word))).toEqual([])
    }
    fc.assert(
      fc.property(text, (any) => {
        for (const word of [...wordsOfName(any), ...wordsOf(any), ...wordsOfEmail(`${any}@x.io`)]) {
          expect(word).toMatch(IN_THE_INDEX)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  it('are found by each of their beginnings: the words of a beginning are beginnings of the words', () => {
    fc.assert(
      fc.property(text, fc.nat(20), (any, length) => {
        const [words, typed] = [wordsOf(any), wordsOf(Array.from(any).slice(0, length).join(''))]
        for (const [at, word] of typed.entries()) expect(words[at]?.startsWith(word)).toBe(true)
        expect(typed.slice(0, -1)).toEqual(words.slice(0, Math.max(0, typed.length - 1)))
      }),
      { numRuns: 2_000 },
    )
  })

  it('take no room for text of ASCII, whose words the database makes itself', () => {
    expect(ownWords({ name: 'Ada Lovelace', email: 'ADA@x.io', externalId: 'usr_1' })).toEqual({
      name_words: null,
      email_words: null,
      external_id_words: null,
    })
    expect(ownWords({ name: null, email: null })).toEqual({ name_words: null, email_words: null })
    expect(ownWords({})).toEqual({})
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[A-Za-z0-9]{1,8}$/)), (words) => {
        const name = words.join(' ')
        expect([...wordsOfName(name)].join(' ')).toBe([...new Set(asciiLower(name).split(' '))].join(' '))
      }),
    )
  })

  it('bound the room that a name with much punctuation takes', () => {
    const name = 'ab-'.repeat(85)
    expect(wordsOfName(name).join(' ').length).toBeLessThan(2 * name.length)
    const parts = Array.from({ length: 80 }, (_, at) => `${at}`).join('-')
    expect(wordsOfName(parts).join(' ').length).toBeLessThanOrEqual(2 * parts.length)
  })
})
