import { expect, it } from 'vitest'
import * as core from './core.ts'
import { DIRECTED_CASES, type DirectedCase } from './directed-cases.ts'

it.each(Object.keys(DIRECTED_CASES) as DirectedCase[])('%s', async (name) => {
  expect(await DIRECTED_CASES[name](core)).toBeNull()
})
