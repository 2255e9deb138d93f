/** Fast hashes of texts, over their UTF-16 units. None of them is for secrets: that is SHA-256, in `http/` and `tenants/`. */

const OFFSET = 0x811c9dc5
const PRIME = 0x01000193

/** FNV-1a, 32 bits, as a signed number. Returns the same in every isolate and gate. */
function fnv1a(text: string, seed: number = OFFSET): number {
  let state = seed
  for (let at = 0; at < text.length; at++) state = Math.imul(state ^ text.charCodeAt(at), PRIME)
  return state
}

/** FNV-1a with mixed bits, 32 bits, unsigned. Isolates and gates of different versions exchange its values: it must never change. */
export function bucketHash(text: string): number {
  const state = fnv1a(text)
  const mixed = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d)
  return (mixed ^ (mixed >>> 13)) >>> 0
}

/** FNV-1a with mixed bits, 32 bits, signed; another seed makes another hash. The archive stores what follows from it: it must never change. */
export function seededHash(text: string, seed: number): number {
  const state = fnv1a(text, seed)
  const once = Math.imul(state ^ (state >>> 16), 0x2c1b3c6d)
  const twice = Math.imul(once ^ (once >>> 12), 0x297a2d39)
  return twice ^ (twice >>> 15)
}

/** 53 bits in base 36: enough to tell one set of versions from the next. */
export function etagHash(text: string): string {
  const low = fnv1a(text)
  let high = PRIME
  for (let at = 0; at < text.length; at++) high = Math.imul(high ^ text.charCodeAt(at), 0x5bd1e995)
  return ((high >>> 0) * 0x200000 + (low >>> 11)).toString(36)
}
