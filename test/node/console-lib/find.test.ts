/** The words of the screen that finds. */
import { expect, it } from 'vitest'
import { totalText } from '../../../console/src/lib/find.ts'

it.each([
  [{ customers: 1, isCapped: false }, '1 customer'],
  [{ customers: 100_002, isCapped: false }, '100,002 customers'],
  [{ customers: 300, isCapped: true }, 'at least 300 customers'],
])('says how many there are: %o', (total, text) => {
  expect(totalText(total)).toBe(text)
})
