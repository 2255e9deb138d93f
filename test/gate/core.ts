/** All of the pure core in one module, so that the mutation test can build it with one rule broken. */
export * from '../../src/gate/edge-lease.ts'
export * from '../../src/gate/fresh-read.ts'
export * from '../../src/gate/freshness.ts'
export * from '../../src/gate/gate-core.ts'
