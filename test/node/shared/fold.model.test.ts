import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { asciiLower, fold } from '../../../src/shared/fold.ts'
import { foldedPatch } from '../../../src/storage/folded.ts'

const text = fc.string({ unit: 'binary', maxLength: 20 })
/** Code points that have case, marks or variants. The others are ideographs, Hangul, private or not assigned. */
const RANGES = [
  [0, 0x3400],
  [0xa000, 0xac00],
  [0xf900, 0x20000],
] as const
const codePoints = RANGES.flatMap(([from, to]) => Array.from({ length: to - from }, (_, at) => from + at))

describe('fold', () => {
  it.each([
    ['MÜLLER', 'muller'],
    ['Mu\u0308ller', 'muller'],
    ['Straße', 'strasse'],
    ['STRASSE', 'strasse'],
    ['GROẞ', 'gross'],
    ['İstanbul', 'istanbul'],
    ['ISPARTA ısparta', 'isparta isparta'],
    ['Ａｃｍｅ １２', 'acme 12'],
    ['ΟΔΥΣΣΕΥΣ', 'οδυσσευσ'],
    ['Οδυσσεύς', 'οδυσσευσ'],
    ['ΐ', 'ι'],
    ['ﬁnance', 'finance'],
    ['Łódź', 'lodz'],
    ['Ørsted & Æther', 'orsted & aether'],
    ['ЁЛКА', 'елка'],
    ['ｶﾞ', 'カ'],
    ['東京', '東京'],
    ['', ''],
  ])('makes of %j the text %j', (given, folded) => {
    expect(fold(given)).toBe(folded)
  })

  it('returns the same in upper case, in lower case, decomposed, composed, and when it is folded again', () => {
    const wrong = codePoints.filter((code) => {
      const letter = String.fromCodePoint(code)
      const forms = [letter.toUpperCase(), letter.toLowerCase(), letter.normalize('NFD'), letter.normalize('NFKC')]
      return [...forms, fold(letter)].some((form) => fold(form) !== fold(letter))
    })
    expect(wrong).toEqual([])
  })

  it('returns a text that begins with the fold of each beginning, and contains that of each part', () => {
    fc.assert(
      fc.property(text, text, text, (before, middle, after) => {
        expect(fold(before + middle).startsWith(fold(before))).toBe(true)
        expect(fold(before + middle + after)).toContain(fold(middle))
      }),
    )
  })

  it('returns the lower case of a text of ASCII, which needs no fold of its own', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), (ascii) => {
        expect(fold(ascii)).toBe(asciiLower(ascii))
        expect(JSON.parse(foldedPatch({ name: ascii }) ?? '')).toEqual({ name: null })
      }),
    )
  })
})
