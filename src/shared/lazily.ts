/**
 * Makes values when they are needed. What a module makes by itself is made in each isolate before its first request, and the start of a
 * Worker has little CPU time.
 */

/** Returns a function that makes the value with its first call, and returns that one from then on. */
export function lazily<Value>(make: () => Value): () => Value {
  let made: { value: Value } | null = null
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
