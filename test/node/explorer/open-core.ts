/** The core as the explorer runs it: the code that ships, with its private fields readable. */

import { loadCore } from '../gate/mutated-core.ts'
import type { Edit } from '../gate/mutations.ts'
import type { Core } from './projection.ts'

export async function loadOpenCore(edits: readonly Edit[] = []): Promise<Core> {
  return loadCore(edits, true)
}
