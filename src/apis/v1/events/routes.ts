/**
 * Routes of the event log: `/v1/events`, and `/v1/customers/{id}/events` for one customer. A caller that missed
 * webhooks catches up here.
 */

import type { EventPage, EventQuery } from '../../../events/event.ts'
import { payloadOf } from '../../../events/payload.ts'
import type { HttpContext, HttpEnv } from '../../../http/api.ts'
import type { PageCursor } from '../../../http/cursor.ts'
import { Hono } from '../../../http/hono.ts'
import { respond } from '../../../http/respond.ts'
import type { Services } from '../../../http/services.ts'
import { notFound } from '../../../registry/errors.ts'
import { isId } from '../../../shared/ids.ts'
import { eventContracts } from './contract.ts'
import type { EventListInput } from './schema.ts'

export function v1Events(services: Services) {
  const { list, listOfCustomer } = eventContracts

  async function respondPage(c: HttpContext, query: EventQuery, cursor: PageCursor) {
    const page = await services.events(c, c.get('registry').scope).list(query)
    if (!page) throw notFound('customer')
    c.get('registry').admission.charge({ rows: page.archiveRows })
    return respond(c, 200, await toPage(page, query, cursor))
  }

  return new Hono<HttpEnv>()
    .get(
      list.path,
      list.handle((c, { query, page }) => respondPage(c, queryOf(query, page), page)),
    )
    .get(
      listOfCustomer.path,
      listOfCustomer.handle((c, { query, page }) => {
        const customerId = c.req.param('id')
        if (!isId('customer', customerId)) throw notFound('customer')
        return respondPage(c, { ...queryOf(query, page), customerId }, page)
      }),
    )
}

function queryOf({ limit, type, start_time, end_time, order }: EventListInput, { position }: PageCursor): EventQuery {
  return { limit, afterId: position, types: type, startMs: start_time, endMs: end_time, order }
}

/**
 * Returns the page in v1's form. In the order `asc` the last page has a cursor too: a caller that follows the log
 * continues from there when there are new events.
 */
async function toPage({ events, hasMore, lastId }: EventPage, { limit, order, afterId }: EventQuery, page: PageCursor) {
  const cursor = await page.next(hasMore || order === 'asc' ? (lastId ?? afterId) : null)
  return { items: events.map(payloadOf), pagination: { limit, next_cursor: cursor, has_more: hasMore } }
}
