/** The core as the explorer runs it: the code that ships, with its private fields readable and sizes that make states small. */

import { loadCore } from '../gate/mutated-core.ts'
import type { Edit } from '../gate/mutations.ts'
import type { Core } from './projection.ts'

/** A sketch of a few buckets: else each state of a gate would carry a thousand numbers. */
export const SIZES: readonly Edit[] = [
  { file: 'constants.ts', find: 'export const SKETCH_BUCKETS = 1_024', replace: 'export const SKETCH_BUCKETS = 6' },
]

export async function loadOpenCore(edits: readonly Edit[] = []): Promise<Core> {
  return loadCore([...SIZES, ...edits], true)
}
