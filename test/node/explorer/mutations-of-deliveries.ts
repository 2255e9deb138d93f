/**
 * The rules of the deliveries of webhooks, each broken in the source or in its SQL. The explorer must find a counter-example in the
 * scenario that is named.
 *
 * Not in this list: rules without which a delivery only comes later, because the sweep finds it, such as the message for the next
 * attempt, or that a dead consumer's slot is free again. no-event-lost.test.ts and fair-queue.model.test.ts count the time.
 */
import type { MutationOfWrites } from './mutations-of-writes.ts'

export const MUTATIONS_OF_DELIVERIES: readonly MutationOfWrites[] = [
  {
    rule: 'the oldest delivery of a customer is the next',
    file: 'webhooks/chain.ts',
    find: '.orderBy(asc(webhookDeliveries.id))',
    replace: ".orderBy(sql.raw('id DESC'))",
    because: 'a customer’s events overtake each other',
    scenario: 'dead consumer',
  },
  {
    rule: 'a claim protects a delivery from other consumers',
    file: 'webhooks/claims.ts',
    find: 'literal(DELIVERY_CLAIM_MS), literal(SLOT_WAIT_MAX_MS)',
    replace: 'literal(0), literal(SLOT_WAIT_MAX_MS)',
    because: 'two consumers attempt it at once',
    scenario: 'doubled',
  },
  {
    rule: 'a delivery that is not due is not claimed',
    file: 'webhooks/chain.ts',
    find: 'lte(webhookDeliveries.nextAttemptAtMs, nowMs))',
    replace: 'lte(webhookDeliveries.nextAttemptAtMs, nowMs), sql`1`)',
    because: 'two consumers attempt it at once',
    scenario: 'doubled',
  },
  {
    rule: 'a delivery at its end gives its slot back',
    file: 'webhooks/outcomes.ts',
    find: 'finishedAtMs: NOW_MS, slot: sql`NULL` })',
    replace: 'finishedAtMs: NOW_MS })',
    because: 'the slot is gone for a minute',
    scenario: 'dead consumer',
  },
  {
    rule: 'a consumer whose claim another one has taken over changes nothing',
    file: 'webhooks/outcomes.ts',
    find: 'IS_PENDING, eq(webhookDeliveries.claims, claims))',
    replace: 'IS_PENDING)',
    because: 'it ends an attempt that is under way elsewhere',
    scenario: 'refused until given up',
  },
  {
    rule: 'an endpoint has so many slots and no more',
    file: 'webhooks/slots.ts',
    find: 'AND of_endpoint < iif(',
    replace: 'AND -1 < iif(',
    because: 'its deliveries take all consumers',
    scenario: 'one slot',
  },
  {
    rule: 'a delivery that ends brings back one that waits',
    file: 'webhooks/claims.ts',
    find: '{ nowMs, count, pauseMs })',
    replace: '{ nowMs, count: 0, pauseMs })',
    because: 'nobody brings it back',
    scenario: 'one slot',
  },
  {
    rule: 'a delivery waits behind others only while others wait',
    file: 'events/pending-messages.ts',
    find: 'WHERE l.value ->> 1 IS NULL OR ',
    replace: 'WHERE 1 OR ',
    because: 'the last one was brought back meanwhile, and nobody brings this one back',
    scenario: 'one slot for three',
  },
  {
    rule: 'the sweep finds what is overdue',
    file: 'webhooks/overdue.ts',
    find: 'lte(nextAttemptAtMs, nowMs - OVERDUE_AFTER_MS)',
    replace: 'lte(nextAttemptAtMs, 0)',
    because: 'a delivery whose message was lost stays',
    scenario: 'doubled',
  },
  {
    rule: 'the next delivery is due when the one before has ended',
    file: 'webhooks/claims.ts',
    find: 'literal(NOT_BEFORE_ANOTHER_MS)',
    replace: 'literal(-1)',
    because: 'it would be due never',
    scenario: 'gone',
  },
]
