/**
 * The form in which text is searched: without case, accents and variants of letters, in all of Unicode. The fold of a
 * beginning of a text is a beginning of the fold of the text. Pure.
 *
 * Stored values are folds too (`folded` in D1): a change here needs a job that folds every customer and tenant anew.
 */

/** Letters that Unicode neither decomposes nor folds, as people type them who do not have them on their keyboard. */
const TYPED_AS: Record<string, string> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ħ: 'h',
  ł: 'l',
  ŧ: 't',
  ŋ: 'n',
  ĸ: 'k',
  ς: 'σ',
}
const TYPED = new RegExp(`[${Object.keys(TYPED_AS).join('')}]`, 'gu')
const ASCII = /^[\0-\x7f]*$/
/** All marks but the iota below Greek letters, which is a letter of its own in upper case. */
const MARK = /(?!\u0345)\p{M}/gu

export function fold(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase()
  // Some letters have a form in one case only. Upper case first, so that those become what their lower case becomes.
  const lower = withoutMarks(withoutMarks(text).toUpperCase().toLowerCase())
  return lower.replace(TYPED, (letter) => TYPED_AS[letter] ?? letter)
}

/** Returns what D1's `lower()` returns: it folds the letters of ASCII alone. */
export function asciiLower(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

function withoutMarks(text: string): string {
  return text.normalize('NFKD').replace(MARK, '')
}
