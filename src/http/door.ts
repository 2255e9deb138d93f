/**
 * What an HTTP door is to the code all doors share: a name and its words for a failure. Everything else a door has, its
 * routes own.
 */
import type { Context } from 'hono'
import type { EdgeRegistry } from '../gate/edge-registry.ts'
import type { Failure } from '../registry/failures.ts'
import type { Repeatable } from '../registry/once.ts'
import type { CountAnswer } from './answer-count.ts'

interface FailureContext {
  requestId: string
  nowMs: number
  /** False in test mode; true where the mode is not known. */
  liveMode: boolean
}

export interface Door {
  name: string
  /** The status and the body with which this door says it. Exhaustive over the reasons. */
  wordFailure(failure: Failure, context: FailureContext): { status: number; body: object }
}

/** What the shared middleware leaves for the routes. */
export interface HttpEnv {
  Bindings: Cloudflare.Env
  Variables: {
    requestId: string
    nowMs: number
    /** Set on tenant doors, once the caller is known. */
    registry: EdgeRegistry
    /** Set for a request to the operator, webhooks or onboarding that has an idempotency key. */
    repeatable: Repeatable | undefined
    /** Set where answers are counted. */
    countAnswer: CountAnswer
    /** Set where the caller prefers to know: the value of the header. */
    serverTiming: () => string
  }
}

export type HttpContext = Context<HttpEnv>
