/**
 * Finds the name that a caller probably meant, for every refusal of a name that is not known: fields, query parameters
 * and the words of a closed list. Pure.
 */

/** Longer texts are no typing errors of a name, and comparing them would take too long. */
const LENGTH_MAX = 64
/** One typing error in this many letters: `emial` is near `email`, and `id` is near nothing but itself. */
const LETTERS_PER_ERROR = 3
/** An ending such as `id` is that of too many names. */
const ENDING_LENGTH_MIN = 3

/**
 * Returns the known name that is nearest to what was sent, or null if none is near. Letter case and separators do not
 * count, so `externalId` is `external_id`. A name that ends with what was sent is near too, if it is the only one:
 * `city` is `address_city`.
 */
export function nearestName(sent: string, known: readonly string[]): string | null {
  const plain = lettersOf(sent)
  if (sent.length > LENGTH_MAX || plain === '') return null
  let nearest: string | null = null
  let least = Math.floor(plain.length / LETTERS_PER_ERROR) + 1
  for (const name of known) {
    const errors = typingErrors(plain, lettersOf(name), least)
    if (errors >= least) continue
    nearest = name
    least = errors
  }
  if (nearest !== null || plain.length < ENDING_LENGTH_MIN) return nearest
  const endings = known.filter((name) => partsOf(name).endsWith(`_${partsOf(sent)}`))
  return endings.length === 1 ? (endings[0] ?? null) : null
}

/** Returns `, did you mean email?`, or an empty text if no known name is near. It follows a message of a problem. */
export function nearestHint(sent: unknown, known: readonly string[]): string {
  const nearest = typeof sent === 'string' && !known.includes(sent) ? nearestName(sent, known) : null
  return nearest === null ? '' : `, did you mean ${nearest}?`
}

function lettersOf(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '')
}

function partsOf(name: string): string {
  return name
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '_')
}

/**
 * Returns how many typing errors turn one text into the other: a letter too many, a missing one, a wrong one, or two
 * that changed places (optimal string alignment). Returns `limit` if there are at least as many.
 */
export function typingErrors(from: string, to: string, limit: number): number {
  if (Math.abs(from.length - to.length) >= limit) return limit
  let beforeLast: number[] = []
  let last = Array.from({ length: to.length + 1 }, (_, at) => at)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[row - 1] === to[column - 1]
      let errors = Math.min(
        numberAt(last, column) + 1,
        numberAt(current, column - 1) + 1,
        numberAt(last, column - 1) + (isSame ? 0 : 1),
      )
      const isSwapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      if (isSwapped) errors = Math.min(errors, numberAt(beforeLast, column - 2) + 1)
      current.push(errors)
    }
    if (Math.min(...current) > limit) return limit
    beforeLast = last
    last = current
  }
  return Math.min(numberAt(last, to.length), limit)
}

function numberAt(row: number[], at: number): number {
  return row[at] ?? Number.POSITIVE_INFINITY
}
