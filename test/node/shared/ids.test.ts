import { describe, expect, it } from 'vitest'
import { isId, newId } from '../../../src/shared/ids.ts'

const T = 1_790_000_000_000

describe('ids', () => {
  it('sort in the order in which they were made, within a millisecond too', () => {
    const ids = Array.from({ length: 500 }, (_, at) => newId('customer', T + Math.floor(at / 3)))
    expect(ids.toSorted()).toEqual(ids)
    expect(ids.every((id) => isId('customer', id))).toBe(true)
  })

  it('share no random part, and use every character in each of its places', () => {
    const parts = Array.from({ length: 3_000 }, (_, at) => newId('event', T + 1_000 + at).slice(-16))
    expect(new Set(parts).size).toBe(parts.length)
    const characters = Array.from({ length: 16 }, (_, place) => new Set(parts.map((part) => part[place])).size)
    expect(characters).toEqual(characters.map(() => 32))
  })
})
