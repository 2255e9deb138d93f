/**
 * Hono with the router of this app. The class that `hono` exports brings two more, which no route here could use; a sub-app
 * only collects its routes for the app that mounts it.
 */
import type { Env, Schema } from 'hono'
import { HonoBase } from 'hono/hono-base'
import type { BlankEnv, BlankSchema } from 'hono/types'
import { type HotRoute, HotRouter } from './router.ts'

export class Hono<
  E extends Env = BlankEnv,
  S extends Schema = BlankSchema,
  BasePath extends string = '/',
> extends HonoBase<E, S, BasePath> {
  constructor(hotRoutes: readonly HotRoute[] = []) {
    super({ router: new HotRouter(hotRoutes) })
  }
}
