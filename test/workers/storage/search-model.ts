/** The specification of a search in plain code: which customers have words that begin with those of a text. */
import type { Customer } from '../../../src/registry/customer.ts'
import { fold } from '../../../src/shared/fold.ts'
import { asciiEmail } from '../../../src/validation/email.ts'

const SINGLE = [0x27, 0x60, 0x2018, 0x2019, 0x201a, 0x201b, 0x2032, 0x2035, 0x2bb, 0x2bc]
const DOUBLE = [0x22, 0x201c, 0x201d, 0x201e, 0x201f, 0x2033, 0x2036]

/** Returns the words of a text: what is left between spaces when case, accents and kinds of quotation marks do not count. */
export function modelWords(text: string): string[] {
  const words = ['']
  for (const letter of fold(text)) {
    if (/\p{Cf}/u.test(letter)) continue
    if (/[\s\p{Z}\p{Cc}]/u.test(letter)) words.push('')
    else words.push(words.pop() + oneOfItsKind(letter))
  }
  return words.filter((word) => word !== '')
}

function oneOfItsKind(letter: string): string {
  const code = letter.codePointAt(0) ?? 0
  if (SINGLE.includes(code)) return 'single quote'
  return DOUBLE.includes(code) ? 'double quote' : letter
}

function wordsOfCustomer({ id, name, email, externalId }: Customer): string[] {
  const names = modelWords(name ?? '')
  const addresses = email === null ? [] : [email, asciiEmail(email) ?? email]
  return [
    ...names,
    // Every place behind punctuation begins a part; a part ends at the next one.
    ...names.flatMap((word) => splitAtPunctuation(word)),
    ...addresses.flatMap((address) => [...modelWords(address), ...modelWords(address.slice(address.indexOf('@') + 1))]),
    ...modelWords(externalId),
    id.toLowerCase(),
  ]
}

function splitAtPunctuation(word: string): string[] {
  const marked = word.replaceAll('single quote', '\u2019').replaceAll('double quote', '\u201d')
  const parts = ['']
  for (const letter of marked) {
    if (/[\p{P}\p{S}]/u.test(letter)) parts.push('')
    else parts.push(parts.pop() + letter)
  }
  return parts
}

export function isFound(customer: Customer, q: string): boolean {
  const words = wordsOfCustomer(customer)
  return modelWords(q).every((wanted) => words.some((word) => word.startsWith(wanted)))
}
