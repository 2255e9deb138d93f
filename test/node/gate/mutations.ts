/**
 * The rules of the gate, each broken in the source (mutations-of-permits.ts, mutations-of-reads.ts): the model must
 * find a violation, or the rule is either untested or not needed. A number is the rule's number in the design.
 *
 * Not in this list, and why:
 * - 5, a synchronous handler, and 9, no shared promise, are about the shells. In the core every method is synchronous
 *   by type, and nothing holds a promise.
 * - 8, a write fills the memory of its isolate only with what shows every earlier write: that is decided by the shell, see
 *   writer.model.test.ts. The model's readers fill, as production's.
 * - that the alarm stores what is settled: without it the next gate looks up more, and is right all the same.
 * - pending buckets are not asked for in `isGood`: a bucket's last change is marked when the write begins, and no stamp
 *   reaches that number before it is settled, so the question would change nothing. It was left out.
 * - that a late write is prepared anew, and that alarms go by the gate's own clock, are about the shell:
 *   writer.model.test.ts.
 * - `View.merge` refuses a delta that starts after what the view knows: only a state that was thrown away between request
 *   and answer could meet one, and then it is the thrown-away state that takes it. A directed test covers it.
 */

import type { DirectedCase } from './directed-cases.ts'

/** One rule of the gate, broken. */
export interface Mutation {
  /** The rule in words, with its number in the list of rules that are easy to get wrong. */
  rule: string
  file: string
  /** Occurs exactly once in the file. */
  find: string
  replace: string
  /** The failure without the rule. */
  because: string
  /** The error that the gate throws without the rule, before it violates anything. */
  throws?: string
  /** A seed that showed the failure. It only saves time: the others are tried if it no longer does. */
  seed?: number
  /** The case that notices it in place of a model, which would meet it too seldom or not at all. */
  case?: DirectedCase
  /** Edits of sizes for the run, if the usual sizes would hide the failure in a short run. */
  with?: readonly Edit[]
  /** True for a run in which D1 is set back. */
  setsBack?: boolean
}

export type Edit = Pick<Mutation, 'file' | 'find' | 'replace'>

/**
 * The unbroken rules run over at least these seeds in the tests of the two models, and nothing is found there.
 */
export const SEEDS_MAX = { permits: 600, reads: 120, readsWithEdits: 45, setsBack: 60 }
