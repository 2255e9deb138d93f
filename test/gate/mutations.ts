/**
 * The rules of the gate, each broken in the source (mutations-of-permits.ts, mutations-of-reads.ts): the model must find
 * a violation, or the rule is either untested or not needed. Numbers are those of DESIGN.md, "easy to get wrong".
 *
 * Not in this list, and why:
 * - 5, a synchronous handler, and 9, no shared promise, are about the shells. In the core every method is synchronous by
 *   type, and nothing holds a promise.
 * - 8, the writer never writes the cache through: nothing in the core could. The model's readers fill, as production's.
 * - `settleWrite` touches storage: a ghost that settles in its own memory only harms nobody, for the row stays pending
 *   and the next gate reads the primary. It is `beginWrite` that a ghost must not survive ("the intent is stored").
 * - pending buckets are not asked for in `isGood`: a bucket's last change is marked when the write begins, and no stamp
 *   reaches that number before it is settled, so the question would change nothing. It was left out.
 * - `View.merge` refuses a delta that starts after what the view knows: only a state that was thrown away between ask and
 *   answer could meet one, and then it is the thrown-away state that takes it. A directed test covers it.
 */

/** One rule of the gate, broken. */
export interface Mutation {
  /** What the rule says; the number is that of DESIGN.md's list. */
  rule: string
  file: string
  /** Occurs exactly once in the file. */
  find: string
  replace: string
  /** What goes wrong without the rule. */
  because: string
  /** The gate does not get as far as doing wrong without the rule: it throws this. */
  throws?: string
  /** A seed that showed it. Only saves time: when it no longer does, the others are tried. */
  seed?: number
  /** What the rule is tried with, when the usual sizes would hide it in a short run. */
  with?: readonly Edit[]
}

export type Edit = Pick<Mutation, 'file' | 'find' | 'replace'>

/**
 * The unbroken rules run over at least these seeds in the tests of the two models, and nothing is found there.
 */
export const SEEDS_MAX = { permits: 600, reads: 200, readsWithEdits: 45 }
