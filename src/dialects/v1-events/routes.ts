/**
 * The log of events: `/v1/events`, and `/v1/customers/{id}/events` for one customer. Whoever was away catches up here.
 */
import { Hono } from 'hono'
import type { EventPage, EventQuery } from '../../events/event.ts'
import { payloadOf } from '../../events/payload.ts'
import { answer } from '../../http/answer.ts'
import type { HttpContext, HttpEnv } from '../../http/door.ts'
import { validQuery } from '../../http/validate.ts'
import { Refused } from '../../registry/failures.ts'
import type { Wiring } from '../../wiring.ts'
import { cursorOf } from '../fields.ts'
import { type EventListInput, eventListQuery, isCustomerId } from './schema.ts'

export function v1Events(wiring: Wiring) {
  return new Hono<HttpEnv>().get('/', validQuery(eventListQuery), async (c) =>
    answerPage(c, wiring, queryOf(c.req.valid('query'))),
  )
}

export function v1CustomerEvents(wiring: Wiring) {
  return new Hono<HttpEnv>().get('/:id/events', validQuery(eventListQuery), async (c) => {
    const customerId = c.req.param('id')
    if (!isCustomerId(customerId)) throw notFound()
    return answerPage(c, wiring, { ...queryOf(c.req.valid('query')), customerId })
  })
}

async function answerPage(c: HttpContext, wiring: Wiring, query: EventQuery): Promise<Response> {
  const registry = c.get('registry')
  await registry.require('events:read')
  const page = await wiring.events(c.env, registry.scope).list(query)
  if (!page) throw notFound()
  return answer(c, 200, toPage(page, query))
}

function queryOf({ limit, cursor, type, start_time, end_time, order }: EventListInput): EventQuery {
  return { limit, afterId: cursor ?? null, types: type, startMs: start_time, endMs: end_time, order }
}

/** Oldest first, the last page has a cursor too: whoever follows the log goes on from there when more has happened. */
function toPage({ events, hasMore, lastId }: EventPage, { limit, order, afterId }: EventQuery) {
  const position = lastId ?? afterId
  const cursor = (hasMore || order === 'asc') && position !== null ? cursorOf(position) : null
  return { items: events.map(payloadOf), pagination: { limit, next_cursor: cursor, has_more: hasMore } }
}

function notFound(): Refused {
  return new Refused({ reason: 'not_found', resource: 'customer' })
}
