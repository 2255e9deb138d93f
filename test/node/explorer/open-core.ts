/** The core as the explorer runs it: the code that ships, with its private fields readable. */

import { loadCore, loadEdited } from '../gate/mutated-core.ts'
import type { Edit } from '../gate/mutations.ts'
import { DELIVERIES_ENTRY, type DeliveriesCore } from './deliveries-core.ts'
import { TWO_ATTEMPTS } from './deliveries-scenarios.ts'
import type { Core } from './projection.ts'
import { WRITES_ENTRY, type WritesCore } from './writes-core.ts'

export async function loadOpenCore(edits: readonly Edit[] = []): Promise<Core> {
  return loadCore(edits, true)
}

/** Nothing is logged: every state would log what its faults cause. */
const SILENT: Edit = { file: 'shared/log.ts', find: 'console[level](JSON.stringify({ level, ...line }))', replace: '' }

/** The path of a write as it ships, with the private fields of the gate readable. */
export async function loadWritesCore(edits: readonly Edit[] = []): Promise<WritesCore> {
  return loadEdited<WritesCore>(WRITES_ENTRY, [SILENT, ...edits], true)
}

/** The chain of deliveries as it ships, with fewer attempts. */
export async function loadDeliveriesCore(edits: readonly Edit[] = []): Promise<DeliveriesCore> {
  return loadEdited<DeliveriesCore>(DELIVERIES_ENTRY, [SILENT, TWO_ATTEMPTS, ...edits], false)
}
