/**
 * Counts the answers of the HTTP doors under the route that was matched, in the router's words: whatever a stranger sends,
 * there are as many labels as routes.
 */

import { matchedRoutes } from 'hono/route'
import type { RouterRoute } from 'hono/types'
import type { RouteLabel } from '../watching/request-counts.ts'
import type { Wiring } from '../wiring.ts'
import type { Door, HttpContext } from './door.ts'

export type CountAnswer = (c: HttpContext, status: number) => void

export function answerCounter(wiring: Wiring, doorAt: (path: string) => Door): CountAnswer {
  const labels = new WeakMap<RouterRoute, RouteLabel>()

  return function countAnswer(c, status) {
    const registry = c.get('registry')
    wiring.count(c, {
      scope: registry?.scope ?? null,
      label: labelOf(c),
      status,
      source: registry?.source ?? null,
      startedAtMs: c.get('nowMs'),
      io: registry?.io ?? null,
    })
  }

  /** A path that is no route's has the label of the middleware that refused it, such as `ALL /v1/*`. */
  function labelOf(c: HttpContext): RouteLabel {
    const matched = matchedRoutes(c)
    const route = matched.find(({ method }) => method !== 'ALL') ?? (matched.at(-1) as RouterRoute)
    const known = labels.get(route)
    if (known) return known
    const label = { door: doorAt(route.path).name, route: `${route.method} ${route.path}` }
    labels.set(route, label)
    return label
  }
}
