/** Chooses the type of a response by the `accept` header (RFC 9110, section 12.5.1). Pure. */

/** Weight of a range that has none, and of every type for a caller without the header. */
const FULL_WEIGHT = 1
/** Ranges of a header that are read. Browsers send about five. */
const RANGES_MAX = 50

/**
 * Returns the type that the caller prefers: the one with the highest weight; of several the one that the header names
 * most exactly, then the one that it names first. Returns the first of `offered` if the caller accepts none of them or
 * does not care.
 */
export function acceptedType<const Type extends string>(
  header: string | null,
  offered: readonly [Type, ...Type[]],
): Type {
  let best = { type: offered[0], weight: 0, exactness: 0 }
  const ranges = (header ?? '').split(',', RANGES_MAX).map(rangeOf)
  for (const range of ranges) {
    for (const type of offered) {
      const exactness = exactnessFor(range.name, type)
      const isMostExact = ranges.every((other) => exactnessFor(other.name, type) <= exactness)
      if (exactness === 0 || !isMostExact || range.weight === 0) continue
      const isBetter = range.weight - best.weight || exactness - best.exactness
      if (isBetter > 0) best = { type, weight: range.weight, exactness }
    }
  }
  return best.type
}

function rangeOf(text: string): { name: string; weight: number } {
  const [name = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
  return { name, weight: weight === undefined ? FULL_WEIGHT : Number(weight) || 0 }
}

/** Returns 3 for the type itself, 2 for its kind, 1 for any type, and 0 for a range that does not have it. */
function exactnessFor(range: string, type: string): number {
  if (range === type) return 3
  if (range === `${type.split('/')[0]}/*`) return 2
  return range === '*/*' ? 1 : 0
}
