/**
 * Compares the rules of the alerts example with Roster's sources: every line of level `warn` or `error` has a rule of that level,
 * and every rule is about a line that something writes.
 */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { RULES, ruleOf } from '../../../examples/alerts/src/rules.ts'

/** Events that the sources do not log: `scripts/tail-lines.ts` makes two from invocations, the alerts Worker one. */
const OTHERS = ['exception', 'ended', 'sweep_missing']

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(path.join('src', name), 'utf8'))

/** The calls of `log` and `logRefusal`: the level and the event, each as source text. */
const calls = sources.flatMap((source) =>
  [...source.matchAll(/\blog(?:Refusal)?\(\s*([^,({]+),\s*\{\s*event\b([^,}]*)/g)].flatMap(
    ([, level = '', value = '']) => {
      const events = [...value.matchAll(/'([a-z_]+)'/g)].map(([, event]) => event)
      return (events.length > 0 ? events : [undefined]).map((event) => ({ level: level.trim(), event }))
    },
  ),
)
/** Level and event of each line above the level `info`. */
const written = calls.filter(({ level }) => level !== "'info'")

it('finds every call that logs, and allows a variable event for changes only', () => {
  const places = sources.flatMap((source) => [...source.matchAll(/(?<!function )\blog\(/g)])
  // Two of them are in `refusal-log.ts`, which passes on the line that `logRefusal` received.
  expect(calls.filter(({ event }) => event !== undefined).length).toBeGreaterThan(25)
  expect(places.length - calls.length).toBeLessThanOrEqual(2)
  for (const { level, event } of calls) if (event === undefined) expect(level).toBe("'info'")
})

it('has a rule for every line of level warn or error, of that level', () => {
  for (const { level, event = '' } of written) {
    expect(RULES, event).toHaveProperty(event)
    // A level that is a variable is error for failures, else info.
    expect(level.startsWith("'") ? level : "'error'", event).toBe(`'${RULES[event]?.level}'`)
  }
})

it('has no rule for a line that nothing writes', () => {
  const events = new Set([...written.map(({ event }) => event), ...OTHERS])
  expect(Object.keys(RULES).filter((event) => !events.has(event))).toEqual([])
})

it('returns a rule for an unknown line, and null for a line of level info', () => {
  expect(ruleOf({ event: 'of_another_version', level: 'warn' })).toMatchObject({ when: 'first' })
  expect(ruleOf({ event: 'failed', level: 'info' })).toBeNull()
  expect(ruleOf({ event: 'toString', level: 'error' })?.means).toBe('no rule knows this line')
})
