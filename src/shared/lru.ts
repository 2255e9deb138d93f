/**
 * The options with which a hot read looks into an LRUCache. Without them the library makes an object for each look, which is a
 * sixth of what our code allocates for such a read. The library sets fields of it, so it is not frozen.
 */
export const LOOK = {}
