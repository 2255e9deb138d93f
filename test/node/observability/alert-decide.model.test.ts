/** Tests when the alerts Worker posts: each event at most once in half an hour, and every line is counted. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  AGAIN_MS,
  decide,
  LASTING_MS,
  PAUSE_MS,
  postFailed,
  RETRY_MS,
  type Seen,
} from '../../../examples/alerts/src/decide.ts'
import type { Rule } from '../../../examples/alerts/src/rules.ts'

const MINUTE_MS = 60_000
const whens = fc.constantFrom<Rule['when']>('first', 'lasting')
const levels = fc.constantFrom<Rule['level']>('error', 'warn')
const arrivals = fc.array(
  fc.record({
    gapMs: fc.oneof(fc.nat(20 * MINUTE_MS), fc.nat(1_500 * MINUTE_MS)),
    lines: fc.integer({ min: 1, max: 50 }),
  }),
  {
    minLength: 1,
    maxLength: 60,
  },
)

/** Returns the posts, with their times, for lines that arrive at these times. */
function posts(rule: Pick<Rule, 'when' | 'level'>, all: { gapMs: number; lines: number }[]) {
  let nowMs = 1_000_000
  let seen: Seen | null = null
  const posted: { atMs: number; lines: number }[] = []
  for (const { gapMs, lines } of all) {
    nowMs += gapMs
    const decided = decide(rule, seen, lines, nowMs)
    seen = decided.seen
    if (decided.post > 0) posted.push({ atMs: nowMs, lines: decided.post })
  }
  return { posted, seen: seen as unknown as Seen }
}

describe('an alert', () => {
  it('is posted at most once in half an hour, a warning once a day, for any lines', () => {
    fc.assert(
      fc.property(arrivals, whens, levels, (all, when, level) => {
        const { posted } = posts({ when, level }, all)
        for (const [at, { atMs }] of posted.entries()) {
          if (at > 0) expect(atMs - (posted[at - 1]?.atMs ?? 0)).toBeGreaterThanOrEqual(AGAIN_MS[level])
        }
      }),
    )
  })

  it('counts every line if it is posted at the first line', () => {
    fc.assert(
      fc.property(arrivals, (all) => {
        const { posted, seen } = posts({ when: 'first', level: 'error' }, all)
        expect(posted[0]?.lines).toBe(all[0]?.lines)
        const counted = posted.reduce((sum, { lines }) => sum + lines, 0)
        expect(counted + seen.waiting).toBe(all.reduce((sum, { lines }) => sum + lines, 0))
      }),
    )
  })

  it('needs lines for three minutes without a pause of ten if it is posted when lines last', () => {
    const lasting = { when: 'lasting', level: 'error' } as const
    const every = (gapMs: number, count: number) => [
      { gapMs: 0, lines: 1 },
      ...Array.from({ length: count }, () => ({ gapMs, lines: 1 })),
    ]
    expect(posts(lasting, every(MINUTE_MS, LASTING_MS / MINUTE_MS - 1)).posted).toEqual([])
    expect(posts(lasting, every(MINUTE_MS, LASTING_MS / MINUTE_MS)).posted).toMatchObject([{ lines: 4 }])
    expect(posts(lasting, every(PAUSE_MS, 20)).posted).toEqual([])
    expect(posts(lasting, every(PAUSE_MS - 1, 1)).posted).toMatchObject([{ lines: 2 }])
  })

  it('is posted a minute later, with its lines, after a post that failed', () => {
    const rule = { when: 'first', level: 'warn' } as const
    const first = decide(rule, null, 3, 0)
    const failed = postFailed(first.seen, first.post, 0)
    const soon = decide(rule, failed, 1, RETRY_MS - 1)
    expect(soon.post).toBe(0)
    expect(decide(rule, soon.seen, 1, RETRY_MS).post).toBe(5)
  })
})
