/**
 * A set of strings in a fixed amount of memory. It never forgets one, and takes about one in ten thousand others for one as
 * long as it holds less than half a million.
 */
const BITS = 2 ** 24
const HASHES = 6

export class BloomFilter {
  readonly #bits = new Uint32Array(BITS / 32)

  add(text: string): void {
    for (const bit of bitsOf(text)) this.#bits[bit >>> 5] = (this.#bits[bit >>> 5] ?? 0) | (1 << (bit & 31))
  }

  has(text: string): boolean {
    return bitsOf(text).every((bit) => ((this.#bits[bit >>> 5] ?? 0) & (1 << (bit & 31))) !== 0)
  }
}

/** Two hashes make as many as are wanted (Kirsch and Mitzenmacher). */
function bitsOf(text: string): number[] {
  const first = hash(text, 0x811c9dc5)
  const second = hash(text, 0x9747b28c) | 1
  return Array.from({ length: HASHES }, (_, at) => (first + Math.imul(at, second)) & (BITS - 1))
}

/** FNV-1a over UTF-16 units, then mixed. */
function hash(text: string, seed: number): number {
  let state = seed
  for (let at = 0; at < text.length; at++) state = Math.imul(state ^ text.charCodeAt(at), 0x01000193)
  state = Math.imul(state ^ (state >>> 16), 0x2c1b3c6d)
  state = Math.imul(state ^ (state >>> 12), 0x297a2d39)
  return state ^ (state >>> 15)
}
