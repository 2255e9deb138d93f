/** How long a read waits for KV alone, and how many in a second go on to D1. */
import { expect, it } from 'vitest'
import { KvPatience } from '../../../src/gate/isolate/kv-patience.ts'

const never = new Promise<string>(() => {})

function world() {
  const timers: { ms: number; end(): void }[] = []
  let nowMs = 1_000_000
  const ports = {
    clock: () => nowMs,
    sleep: (ms: number) => new Promise<void>((end) => timers.push({ ms, end })),
  }
  const pass = (ms: number) => {
    nowMs += ms
  }
  return { timers, ports, pass }
}

it('resolves as KV does when that is soon, and with “late” else', async () => {
  const { timers, ports } = world()
  const patience = new KvPatience()
  expect(await patience.soon(Promise.resolve('value'), ports)).toBe('value')
  const first = patience.soon(never, ports)
  timers[1]?.end()
  expect(await first).toBe('late')
  expect(timers.map(({ ms }) => ms)).toEqual([10, 10])
})

it('lets a hundred reads in a second go on, however many KV answers soon, and the others wait for KV without a timer', async () => {
  const { timers, ports, pass } = world()
  const patience = new KvPatience()
  const later = Promise.withResolvers<string>()
  const read = async () => {
    const first = patience.soon(later.promise, ports)
    timers.at(-1)?.end()
    return first
  }
  for (let at = 0; at < 200; at++) await patience.soon(Promise.resolve('nearby'), ports)
  const reads = Array.from({ length: 102 }, read)
  expect(new Set(await Promise.all(reads.slice(0, 100)))).toEqual(new Set(['late']))
  expect(timers).toHaveLength(300)
  later.resolve('value')
  expect(await Promise.all(reads.slice(100))).toEqual(['value', 'value'])
  pass(1_000)
  const next = patience.soon(never, ports)
  timers.at(-1)?.end()
  expect(await next).toBe('late')
})
