/**
 * The path of a write in one module, from the gate's writer to the SQL, so that the explorer can build it with one rule broken. It is
 * a text, because the types of storage are those of a Worker.
 */
import type { bucketOf, isGood, stampFor, View } from '../../../src/gate/core/freshness.ts'
import type { GateCore } from '../../../src/gate/core/gate-core.ts'
import type { IntentWatch } from '../../../src/gate/object/intent-watch.ts'
import type { GateWriter } from '../../../src/gate/object/writer.ts'
import type { WriteStore } from '../../../src/gate/protocol/write-store.ts'
import type { ServiceFailure } from '../../../src/registry/errors.ts'

export interface WritesCore {
  bucketOf: typeof bucketOf
  isGood: typeof isGood
  stampFor: typeof stampFor
  View: typeof View
  GateCore: typeof GateCore
  IntentWatch: typeof IntentWatch
  GateWriter: typeof GateWriter
  writeStore(d1: unknown): WriteStore
  storageFailure(error: unknown, facts: object): ServiceFailure
}

export const WRITES_ENTRY = `
  export { bucketOf, isGood, stampFor, View } from './src/gate/core/freshness.ts'
  export { GateCore } from './src/gate/core/gate-core.ts'
  export { IntentWatch } from './src/gate/object/intent-watch.ts'
  export { GateWriter } from './src/gate/object/writer.ts'
  export { writeStore } from './src/storage/customers/writes.ts'
  export { storageFailure } from './src/storage/unavailable.ts'
`
