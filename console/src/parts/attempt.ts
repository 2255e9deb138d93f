/**
 * The idempotency key of a form: a second click repeats the request and makes no second thing.
 */
import { useMemo } from 'react'

/** Returns a key that stays the same while the body does, and the header that carries it. */
export function useAttempt(body: object): { 'idempotency-key': string } {
  const text = JSON.stringify(body)
  // biome-ignore lint/correctness/useExhaustiveDependencies: another body is another attempt
  return useMemo(() => ({ 'idempotency-key': crypto.randomUUID() }), [text])
}
