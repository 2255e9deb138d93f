/** The pure parts of `npm run bench:peer`: a figure is what its rule says, on every machine. */
import { expect, it } from 'vitest'
import { luaOf, resultOf } from '../../../bench/peer/load.ts'
import { processStat, ticksOfTree } from '../../../bench/peer/pinned.ts'
import { rowOf, verdictOf } from '../../../bench/peer/report.ts'

it('counts the CPU time of a process, of all below it, and of their children that ended', () => {
  const line = (pid: number, name: string, parent: number, times: string) =>
    `${pid} (${name}) S ${parent} 1 1 0 -1 4194304 1 1 1 1 ${times} 20 0 1 0`
  const stats = [
    line(10, 'node', 1, '100 20 3 0'),
    line(11, 'a (b) c', 10, '7 0 0 0'),
    line(12, 'postgres: writer', 11, '0 0 40 2'),
    line(99, 'other', 1, '5000 0 0 0'),
  ].map(processStat)
  expect(ticksOfTree(stats, 10)).toBe(123 + 7 + 42)
})

it('reads what wrk printed, and takes no other text for a result', () => {
  const printed = 'Running 1s test\nRESULT 3000 1500000 4 1\n'
  expect(resultOf(printed)).toEqual({
    requests: 3_000,
    perSecond: 2_000,
    refused: 4,
    failed: 1,
  })
  expect(() => resultOf('unable to connect')).toThrow('no result')
})

it('writes a plan as Lua', () => {
  expect(luaOf({ key: 'sk', ids: ['a"b', 'c'], weight: 95 })).toBe('{key="sk",ids={"a\\"b","c"},weight=95}')
})

it('compares the two servers within each round', () => {
  const round = (peer: number, roster: number) =>
    [peer, roster].map((perSecond) => ({ perSecond, cpuUs: 1e6 / perSecond }))
  const rounds = [round(1_000, 500), round(2_000, 500), round(4_000, 2_000)]
  expect(rowOf({ name: 'reads', rounds })).toEqual([
    'reads',
    '2,000 (1,000–4,000)',
    '500 (500–2,000)',
    '0.50 (0.25–0.50)',
    '500 µs',
    '2,000 µs',
  ])
  const ahead = { name: 'writes', rounds: [round(100, 101)] }
  expect(verdictOf([{ name: 'reads', rounds }, ahead])).toBe(
    'The other server is ahead in 1 of 2 rows, Roster in: writes.',
  )
})
