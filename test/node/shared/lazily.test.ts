import { expect, it } from 'vitest'
import { lazily } from '../../../src/shared/lazily.ts'

it('makes a value with the first call, and no second one, whatever the value is', () => {
  for (const value of [{}, 0, null, undefined]) {
    let made = 0
    const get = lazily(() => {
      made++
      return value
    })
    expect(made).toBe(0)
    expect([get(), get(), made]).toEqual([value, value, 1])
  }
})

it('makes it with the next call if the first one failed', () => {
  let calls = 0
  const get = lazily(() => {
    if (calls++ === 0) throw new Error('not yet')
    return 'made'
  })
  expect(get).toThrow('not yet')
  expect(get()).toBe('made')
})
