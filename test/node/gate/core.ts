/** All of the pure core in one module, so that the mutation test can build it with one rule broken. */

export * from '../../../src/gate/core/freshness.ts'
export * from '../../../src/gate/core/gate-core.ts'
export { Bucket } from '../../../src/gate/core/token-bucket.ts'
export * from '../../../src/gate/isolate/fresh-read.ts'
export * from '../../../src/gate/isolate/lease.ts'
export * from '../../../src/gate/isolate/lease-exchange.ts'
export { LeaseState } from '../../../src/gate/isolate/lease-state.ts'
export { versioned } from '../../../src/gate/protocol/leases.ts'
export * from '../../../src/gate/protocol/versions.ts'
