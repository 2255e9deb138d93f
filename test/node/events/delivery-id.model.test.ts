/** Ids of deliveries name an event and a time, and show no count. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { deliveryIdOf, readDeliveryId } from '../../../src/events/delivery-id.ts'

const EVENT = 'evt_01JD3VQ4X8N2M7R5T9W6YBZKCE'

it('is read back as it was written, for any time', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), (createdAtMs) => {
      const name = { eventId: EVENT, createdAtMs }
      expect(readDeliveryId(deliveryIdOf(name))).toEqual(name)
    }),
  )
})

it('is refused in any other form', () => {
  const id = deliveryIdOf({ eventId: EVENT, createdAtMs: 1 })
  for (const text of ['', 'whd_4711', id.slice(1), `${id}0`, id.toLowerCase(), EVENT]) {
    expect(readDeliveryId(text), text).toBeNull()
  }
})
