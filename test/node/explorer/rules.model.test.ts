import { expect, it } from 'vitest'
import { CHECKS, RULES } from './rules.ts'
import { RULES_OF_PERMITS } from './rules-of-permits.ts'
import { RULES_OF_READS } from './rules-of-reads.ts'

/** The others have larger scenarios, which `npm run soak` searches. */
const STATES_MAX = 10_000

it('has a scenario for each rule of the gate, or a reason why there is none', () => {
  const explained = { ...RULES_OF_PERMITS, ...RULES_OF_READS }
  expect(Object.keys(explained).sort()).toEqual(RULES.map(({ rule }) => rule).sort())
  const withScenario = Object.keys(explained).filter((rule) => typeof explained[rule] === 'string')
  expect(CHECKS.map(({ rule }) => rule).sort()).toEqual(withScenario.sort())
})

it.each(CHECKS.filter(({ states }) => states <= STATES_MAX))(
  'finds a counter-example without: $rule',
  async (check) => {
    expect(await check.run()).toBeTruthy()
  },
)
