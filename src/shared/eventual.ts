/**
 * Results that are known at once or come later. A read that memory answers is known at once, and to wait for a promise costs it
 * more than to look the customer up.
 */

export type Eventual<T> = T | Promise<T>

/** Works on the value at once if it is known, else when it comes. */
export function whenKnown<T, Result>(value: Eventual<T>, work: (value: T) => Eventual<Result>): Eventual<Result> {
  return value instanceof Promise ? value.then(work) : work(value)
}
