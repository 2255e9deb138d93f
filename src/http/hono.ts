/**
 * Hono with the router of this app. The class that `hono` exports brings two more, which no route here could use; a sub-app
 * only collects its routes for the app that mounts it.
 */
import type { Env, ErrorHandler, Schema } from 'hono'
import { HonoBase } from 'hono/hono-base'
import type { BlankEnv, BlankSchema, H, RouterRoute } from 'hono/types'
import { joinHandlers } from './join-handlers.ts'
import { type HotRoute, HotRouter } from './router.ts'

interface AppOptions<E extends Env> {
  hotRoutes: readonly HotRoute[]
  /** Responds to what a handler throws. */
  onError: ErrorHandler<E>
}

export class Hono<
  E extends Env = BlankEnv,
  S extends Schema = BlankSchema,
  BasePath extends string = '/',
> extends HonoBase<E, S, BasePath> {
  /** Without options, the app is a sub-app. */
  constructor(options?: AppOptions<E>) {
    super({ router: options ? routerOf(options) : new HotRouter([], last) })
    if (options) this.onError(options.onError)
  }
}

/** A handler with its route, as Hono adds it to a router. */
type Added = [H, RouterRoute]

function routerOf<E extends Env>({ hotRoutes, onError }: AppOptions<E>): HotRouter<Added> {
  return new HotRouter(hotRoutes, (matched) => {
    const handlers = matched.map(([handler]) => handler)
    return [joinHandlers(handlers, onError as ErrorHandler), last(matched)[1]]
  })
}

function last(matched: Added[]): Added {
  return matched.at(-1) as Added
}
