/**
 * The options with which a hot read looks into an LRUCache. Without them the library makes an object for each look: some 90 bytes
 * of a read (`node bench/allocation.ts`). The library sets fields of it, so it is not frozen.
 */
export const LOOK = {}
