/**
 * Joins the handlers of a route into one, which runs them as `compose` of Hono does. Hono calls the only handler of a route
 * without that chain of async functions, so a read that memory answers waits for no promise. Pure.
 */
import type { Context, ErrorHandler, Handler, MiddlewareHandler } from 'hono'

/** The result of `next` if the rest of the chain has ended already. A middleware that returns it has ended too. */
const ENDED: Promise<void> = Promise.resolve()

/** The `next` of the last handler. */
const end = () => ENDED

/**
 * Joins the handlers, which are in the order of the chain. `onError` responds to what a handler throws, as that of the app does. The chain
 * differs from Hono's in two ways: middleware sees the parameters of the route, and a second call of `next` is not detected.
 */
export function joinHandlers(handlers: readonly (Handler | MiddlewareHandler)[], onError: ErrorHandler): Handler {
  const last = handlers.length - 1

  function run(c: Context, at: number): Promise<void> {
    try {
      const answer = handlers[at]?.(c, at === last ? end : () => run(c, at + 1))
      if (answer === ENDED) return ENDED
      if (!(answer instanceof Promise)) return finish(c, answer)
      return answer.then(
        (late) => void finish(c, late),
        (error) => fail(c, error),
      )
    } catch (error) {
      return fail(c, error)
    }
  }

  /** The first response counts: that of a middleware which has called `next` is none. */
  function finish(c: Context, answer: unknown): Promise<void> {
    if (answer instanceof Response && !c.finalized) c.res = answer
    return ENDED
  }

  function fail(c: Context, error: unknown): Promise<void> {
    if (!(error instanceof Error)) return Promise.reject(error)
    c.error = error
    const answer = onError(error, c)
    if (answer instanceof Promise) {
      return answer.then((late) => {
        c.res = late
      })
    }
    c.res = answer
    return ENDED
  }

  function responseOf(c: Context): Response {
    if (!c.finalized) throw new Error(`${c.req.method} ${c.req.path}: no handler responded`)
    return c.res
  }

  return function handle(c) {
    const ran = run(c, 0)
    return ran === ENDED ? responseOf(c) : ran.then(() => responseOf(c))
  }
}
