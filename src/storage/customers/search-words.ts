/**
 * The words by which a customer is found, and those of a search. Pure. A word is found by each of its beginnings.
 *
 * Words are folds (`shared/fold.ts`), between white space and control characters; format characters, which nobody sees,
 * are left out. Each kind of quotation mark counts as one. The words are
 *
 * - of a name: each word, and each part of it between punctuation: `jean-luc`, `luc`
 * - of an e-mail address: all of it, which begins with the local part, and its domain, in both spellings
 * - of an external id: each word
 *
 * and the id, which needs no fold. `customer_tokens` in the migrations joins them, and takes the fold of a text where that is what
 * the functions here make of it. Stored words are folds, so a change here needs a job that makes them anew.
 */
import type { CustomerChanges } from '../../registry/customer.ts'
import { fold } from '../../shared/fold.ts'
import { asciiEmail } from '../../validation/email.ts'

/** The characters that the index could not have in a word, and those that are typed for them. */
const QUOTES: readonly [RegExp, string][] = [
  [/['`\u2018\u201a\u201b\u2032\u2035\u02bb\u02bc]/g, '\u2019'],
  [/["\u201c\u201e\u201f\u2033\u2036]/g, '\u201d'],
  [/\\/g, '\u2216'],
]
const SEPARATORS = /[\s\p{Z}\p{Cc}]+/u
const INVISIBLE = /\p{Cf}/gu
const PUNCTUATION = /[\p{P}\p{S}]+/u

/**
 * Returns the words of the texts that a change sets, by their names in `folded`. Null stands for words that the view makes
 * of the text itself.
 */
export function ownWords({
  name,
  email,
  externalId,
}: Pick<CustomerChanges, 'name' | 'email' | 'externalId'>): Record<string, string | null> {
  const own = (words: string[], ofView: string) => (words.join(' ') === ofView ? null : words.join(' '))
  const address = fold(email ?? '')
  return {
    ...(name !== undefined && { name_words: own(wordsOfName(name ?? ''), fold(name ?? '')) }),
    ...(email !== undefined && {
      email_words: email ? own(wordsOfEmail(email), `${address} ${domainOf(address)}`) : null,
    }),
    ...(externalId !== undefined && { external_id_words: own(wordsOf(externalId), fold(externalId)) }),
  }
}

/** Returns the words of any text, in its order. */
export function wordsOf(text: string): string[] {
  let folded = fold(text).replace(INVISIBLE, '')
  for (const [kinds, one] of QUOTES) folded = folded.replace(kinds, one)
  return folded.split(SEPARATORS).filter((word) => word !== '')
}

export function wordsOfName(name: string): string[] {
  return distinct(
    wordsOf(name).flatMap((word) => {
      const parts = word.split(PUNCTUATION).filter((part) => part !== '' && !word.startsWith(part))
      return [word, ...parts]
    }),
  )
}

export function wordsOfEmail(email: string): string[] {
  const spellings = [email, asciiEmail(email) ?? email]
  return distinct(spellings.flatMap((address) => wordsOf(`${address} ${domainOf(address)}`)))
}

function domainOf(address: string): string {
  return address.slice(address.indexOf('@') + 1)
}

function distinct(words: string[]): string[] {
  return [...new Set(words)]
}
