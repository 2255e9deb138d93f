/** Tests the judgements of `npm run deploy -- --check`, with observations that are possible at Cloudflare and not in local workerd. */
import { existsSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { Verdict } from '../../../scripts/deploy-check/experiment.ts'
import type { ClockCall } from '../../../scripts/deploy-check/experiments/clock-rules.ts'
import { EXPERIMENTS } from '../../../scripts/deploy-check/experiments/index.ts'
import { PROBES } from '../../../scripts/deploy-check/experiments/splitter.ts'
import { Refusal } from '../support/fake-cloudflare/answers.ts'
import { FakeD1 } from '../support/fake-cloudflare/d1.ts'
import { WorkerHost } from '../support/fake-cloudflare/worker-host.ts'

const SECOND = 1_000
const REFUSED = 'Cloudflare answered 400 to POST /d1/database/x/query: incomplete input: SQLITE_ERROR [code: 7500]'

/** Returns a call that took `tookMs`, of an object whose clock was behind by `lagMs`. */
function call(atMs: number, tookMs: number, lagMs: number, more: Partial<ClockCall> = {}): ClockCall {
  const beforeMs = atMs + 2 - lagMs
  const sqlBefore = { ms: atMs + 2, error: null }
  return { sentAtMs: atMs, receivedAtMs: atMs + tookMs, beforeMs, sqlBefore, instance: 'one', ...more }
}

/** Returns a call without work, five of 200 ms, and one without work; the clock is behind by these milliseconds. */
function calls(lags: number[], more: Partial<ClockCall> = {}): ClockCall[] {
  return lags.map((lagMs, at) => call(at * SECOND, at === 0 || at === lags.length - 1 ? 10 : 210, lagMs, more))
}

const right = calls([0, 0, 0, 0, 0, 0, 0])
const losing = calls([0, 0, 200, 400, 600, 800, 1_000])
const restarted = { ended: true, before: call(0, 10, 0), after: call(20, 10, 0, { instance: 'two' }) }
const clockSeen = { plain: right, timer: right, restarted }

const quiet = { requests: 200, failed: 2, failedInARow: 1, longestSilenceMs: 900 }
const loud = { requests: 200, failed: 30, failedInARow: 12, longestSilenceMs: 9_000 }
const gone = { oldLivedMs: 1_200, stillOld: 0, failures: quiet }
const replaced = { immediate: gone, deferred: gone, tail: { connected: true, restarts: 4, failures: quiet } }

const sent = { status: 200, error: null, answeredWhileHeld: true, readBytes: 52_428_800 }
const uploads = { early: sent, part: sent, large: { ...sent, status: 413, readBytes: null } }

const all = { asked: 1_001, passed: 1_001, error: null }
const cut = { asked: 1_001, passed: 1_000, error: 'D1_ERROR: Too many API requests by single worker invocation.' }
const counted = { single: cut, batch: all, smallerBatch: { asked: 900, passed: 900, error: null }, batches: all }

const session = { rows: [1], bookmark: 'a3', error: null }
const back = { newer: 'a1', restored: 'a2', read: { ...session, tookMs: 40 }, write: session }

const noProbe = Object.fromEntries(Object.keys(PROBES).map((name) => [name, null]))
const split = { byQuery: { '0000.sql': null }, byImport: null, probes: noProbe }
const probes = (name: string, refusal: string | null) => ({ ...split, probes: { ...noProbe, [name]: refusal } })

const reached = (status: number | null, server: string | null, body = '') => ({
  status,
  headers: { server },
  body,
  error: status === null ? 'Network connection lost.' : null,
})
const regionSeen = (afterMs: number, running: string | null, created: string | null) => ({
  answers: [
    { afterMs: 100, running: null, created: null },
    { afterMs, running, created },
  ],
})

type Case = [number, string, object, Verdict, string]

const CASES: Case[] = [
  [1, 'migrations by import', split, 'expected', 'all applied'],
  [
    1,
    'migrations by import',
    { ...split, byImport: REFUSED },
    'different',
    'refused: incomplete input: SQLITE_ERROR [code: 7500]',
  ],
  [1, 'migrations by /query', split, 'expected', 'all 1 applied'],
  [1, 'migrations by /query', { ...split, byQuery: { a: null, b: REFUSED } }, 'harmless', 'b refused'],
  [1, 'trigger without CASE', split, 'expected', 'passes'],
  [1, 'trigger without CASE', probes('trigger', REFUSED), 'harmless', '7500'],
  [1, 'trigger with iif()', split, 'expected', 'passes'],
  [1, 'trigger with iif()', probes('iif', REFUSED), 'harmless', '7500'],
  [1, 'trigger, bare CASE', probes('bareCase', REFUSED), 'expected', '7500'],
  [1, 'trigger, bare CASE', split, 'harmless', 'passes'],
  [1, 'trigger, bare CASE', { ...split, probes: {} }, 'unclear', 'not tried'],
  [1, 'trigger, (CASE … END)', split, 'expected', 'passes'],
  [1, 'trigger, (CASE … END)', probes('parenthesisedCase', REFUSED), 'harmless', '7500'],
  [1, 'quote in a comment', probes('quoteInComment', REFUSED), 'expected', '7500'],
  [1, 'quote in a comment', split, 'harmless', 'passes'],
  [1, 'semicolon in a comment', probes('semicolonInComment', REFUSED), 'expected', '7500'],
  [1, 'semicolon in a comment', split, 'harmless', 'passes'],
  [1, 'function, 32 arguments', split, 'expected', 'passes'],
  [1, 'function, 32 arguments', probes('arguments32', 'too many arguments'), 'different', 'too many'],
  [1, 'function, 33 arguments', probes('arguments33', 'too many arguments'), 'expected', 'too many'],
  [1, 'function, 33 arguments', split, 'harmless', 'passes'],

  [2, 'Analytics Engine', { code: 0, output: 'Deployed' }, 'expected', 'enabled'],
  [2, 'Analytics Engine', { code: 1, output: '[ERROR] … enable Analytics Engine [code: 10089]' }, 'different', '10089'],
  [2, 'Analytics Engine', { code: 1, output: 'x\n[ERROR] no network\n' }, 'unclear', 'no network'],

  [3, 'running_in_region', regionSeen(4_000, 'WEUR', 'WEUR'), 'expected', 'WEUR after 4.0 s'],
  [3, 'running_in_region', regionSeen(14_000, 'WEUR', null), 'harmless', '14.0 s; created_in_region absent'],
  [3, 'running_in_region', regionSeen(20_000, null, 'WEUR'), 'harmless', 'never; created_in_region WEUR'],
  [3, 'running_in_region', regionSeen(20_000, null, null), 'different', 'never; created_in_region absent'],

  [4, "object's clock, computing", clockSeen, 'expected', 'lost 0 ms of 1000 ms CPU'],
  [4, "object's clock, computing", { ...clockSeen, plain: losing }, 'expected', 'lost 990 ms of 1000 ms CPU'],
  [4, "object's clock, computing", { ...clockSeen, plain: calls([0, 0, 0, 0, 0, 0, 9_000]) }, 'different', 'lost 8990'],
  [
    4,
    "object's clock, computing",
    { ...clockSeen, plain: calls([0, 0, 0, 0, 0, 0, -500]) },
    'different',
    '492 ms ahead',
  ],
  [4, "object's clock, computing", { ...clockSeen, plain: [...right, restarted.after] }, 'unclear', 'restarted'],
  [
    4,
    "object's clock, computing",
    { ...clockSeen, plain: right.map((c) => call(c.sentAtMs, 10, 0)) },
    'unclear',
    'only 0 ms',
  ],
  [4, 'the same, a timer pending', clockSeen, 'expected', 'lost 0 ms'],
  [
    4,
    'the same, a timer pending',
    { ...clockSeen, timer: calls([0, 500, 900, 0, 0, 0, 0]) },
    'expected',
    'caught up 890',
  ],
  [
    4,
    'the same, a timer pending',
    { ...clockSeen, timer: calls([0, 3_000, 0, 0, 0, 0, 0]) },
    'different',
    'caught up 2990',
  ],
  [4, 'after a restart', clockSeen, 'expected', 'right'],
  [
    4,
    'after a restart',
    { ...clockSeen, restarted: { ...restarted, after: call(20, 10, -400, { instance: 'two' }) } },
    'different',
    'wrong by 392',
  ],
  [
    4,
    'after a restart',
    { ...clockSeen, restarted: { ...restarted, after: restarted.before } },
    'unclear',
    'not restarted',
  ],
  [4, "clock of the object's SQLite", clockSeen, 'expected', 'right'],
  [
    4,
    "clock of the object's SQLite",
    { ...clockSeen, plain: calls([0, 0], { sqlBefore: { ms: 9_000, error: null } }) },
    'harmless',
    'wrong by 8990 ms',
  ],
  [
    4,
    "clock of the object's SQLite",
    { ...clockSeen, plain: calls([0, 0], { sqlBefore: { ms: null, error: 'not authorized' } }) },
    'harmless',
    'not authorized',
  ],

  [5, 'immediate code update', replaced, 'expected', 'lived 1.2 s'],
  [
    5,
    'immediate code update',
    { ...replaced, immediate: { ...gone, oldLivedMs: 40_000 } },
    'different',
    'lived 40.0 s',
  ],
  [5, 'immediate code update', { ...replaced, immediate: { ...gone, stillOld: 2 } }, 'different', '2 not replaced'],
  [
    5,
    'immediate code update',
    { ...replaced, immediate: { ...gone, failures: loud } },
    'different',
    '30 of 200 requests failed',
  ],
  [5, 'immediate code update', { ...replaced, immediate: { ...gone, oldLivedMs: null } }, 'unclear', 'no isolate'],
  [5, 'deferred code update', { ...replaced, deferred: { ...gone, oldLivedMs: 300_500 } }, 'expected', 'lived 300.5 s'],
  [
    5,
    'deferred code update',
    { ...replaced, deferred: { ...gone, oldLivedMs: 390_000 } },
    'different',
    'lived 390.0 s',
  ],
  [5, 'wrangler tail', replaced, 'expected', '4 restarts'],
  [5, 'wrangler tail', { ...replaced, tail: { ...replaced.tail, failures: loud } }, 'different', 'silence 9000 ms'],
  [5, 'wrangler tail', { ...replaced, tail: { ...replaced.tail, connected: false } }, 'unclear', 'did not connect'],

  [6, 'answers during an upload', uploads, 'expected', 'answered before'],
  [
    6,
    'answers during an upload',
    { ...uploads, early: { ...sent, answeredWhileHeld: false } },
    'harmless',
    'nothing before',
  ],
  [
    6,
    'answers during an upload',
    { ...uploads, early: { ...sent, status: null, error: 'ECONNRESET' } },
    'unclear',
    'ECONNRESET',
  ],
  [6, 'body of 50 MiB', uploads, 'expected', '52428800 bytes read'],
  [6, 'body of 50 MiB', { ...uploads, part: { ...sent, status: 413, readBytes: null } }, 'different', '413'],
  [6, 'body of 50 MiB', { ...uploads, part: { ...sent, readBytes: 100 } }, 'different', '100 bytes'],
  [6, 'body of 150 MiB', uploads, 'expected', '413'],
  [6, 'body of 150 MiB', { ...uploads, large: { ...sent, status: null, error: 'write EPIPE' } }, 'expected', 'EPIPE'],
  [6, 'body of 150 MiB', { ...uploads, large: sent }, 'harmless', '200'],

  [7, 'single queries', counted, 'expected', '1000 of 1001 pass, then: D1_ERROR'],
  [7, 'single queries', { ...counted, single: { ...cut, passed: 50 } }, 'different', '50 of 1001'],
  [7, 'one batch', counted, 'expected', '1001 of 1001'],
  [7, 'one batch', { ...counted, batch: { ...cut, passed: 0 } }, 'harmless', '900 of 900 pass, 0 of 1001'],
  [
    7,
    'one batch',
    { ...counted, batch: { ...cut, passed: 0 }, smallerBatch: { ...cut, passed: 0 } },
    'different',
    '0 of 900',
  ],
  [7, 'several batches', counted, 'expected', '1001 of 1001'],
  [7, 'several batches', { ...counted, batches: { ...cut, passed: 910 } }, 'harmless', '910 of 1001'],
  [7, 'several batches', { ...counted, batches: { ...cut, passed: 819 } }, 'different', '819 of 1001'],

  [8, 'read with a newer bookmark', back, 'expected', 'passes after 0.0 s'],
  [8, 'read with a newer bookmark', { ...back, read: { ...session, tookMs: 9_000 } }, 'harmless', 'after 9.0 s'],
  [8, 'read with a newer bookmark', { ...back, read: null }, 'harmless', 'waits longer than 30 s'],
  [
    8,
    'read with a newer bookmark',
    { ...back, read: { ...session, rows: null, error: 'D1_ERROR: x', tookMs: 1 } },
    'harmless',
    'fails: D1_ERROR',
  ],
  [8, 'read with a newer bookmark', { ...back, read: { ...session, rows: [1, 2], tookMs: 1 } }, 'unclear', 'rows 1,2'],
  [8, 'bookmark of the restore', back, 'expected', 'later'],
  [8, 'bookmark of the restore', { ...back, restored: 'a0' }, 'harmless', 'a0 ≤ a1'],
  [8, 'bookmark of the restore', { ...back, restored: null }, 'unclear', 'no bookmark'],
  [8, 'bookmark of the next write', back, 'expected', 'later'],
  [8, 'bookmark of the next write', { ...back, write: { ...session, bookmark: 'a1' } }, 'harmless', 'a1 ≤ a1'],

  ...[
    ['host that does not answer', 'dead', 522],
    ['name without an address', 'unknown', 530],
    ['closed port', 'closed', 521],
    ['wrong certificate', 'certificate', 526],
  ].flatMap(([name, target, status]): Case[] => [
    [
      9,
      String(name),
      { [String(target)]: reached(Number(status), 'cloudflare', 'error code: 1016') },
      'expected',
      `connection_failed: ${status}, server: cloudflare, error code: 1016`,
    ],
    [9, String(name), { [String(target)]: reached(null, null) }, 'harmless', 'throws: Network connection lost.'],
    [9, String(name), { [String(target)]: reached(409, 'cloudflare') }, 'different', 'not recognised: 409'],
    [
      9,
      String(name),
      { [String(target)]: reached(409, null, 'error code: 1001') },
      'harmless',
      'refused_by_cloudflare: 409',
    ],
    [9, String(name), { [String(target)]: reached(Number(status), null) }, 'different', 'server: none'],
  ]),

  [10, 'a database in the EU', { described: 'eu', listed: 'eu' }, 'expected', 'described eu, listed eu'],
  [10, 'a database in the EU', { described: 'eu', listed: null }, 'different', 'listed without one'],
  [10, 'a database in the EU', { described: null, listed: 'eu' }, 'different', 'described without one'],
  [10, 'an object in the EU', { object: { reported: 'eu', isAnother: true } }, 'expected', 'says eu, another object'],
  [10, 'an object in the EU', { object: { reported: null, isAnother: true } }, 'harmless', 'says none'],
  [10, 'an object in the EU', { object: { reported: 'eu', isAnother: false } }, 'different', 'the same object outside'],
]

function checkOf(number: number, name: string) {
  const check = EXPERIMENTS.find((experiment) => experiment.number === number)?.checks.find(
    (known) => known.name === name,
  )
  if (!check) throw new Error(`there is no check ${number} ${name}`)
  return check
}

it.each(CASES)('judges %i %s: %o is %s (%s)', (number, name, seen, verdict, text) => {
  const judgement = checkOf(number, name).judge(seen)
  expect(judgement.verdict).toBe(verdict)
  expect(judgement.seen).toContain(text)
})

it('judges each check as expected and as something else in the cases above', () => {
  const checks = EXPERIMENTS.flatMap(({ number, checks }) => checks.map(({ name }) => [number, name] as const))
  for (const [number, name] of checks) {
    const verdicts = CASES.filter((known) => known[0] === number && known[1] === name).map((known) => known[3])
    expect(verdicts, name).toContain('expected')
    expect(
      verdicts.filter((verdict) => verdict === 'harmless' || verdict === 'different').length,
      name,
    ).toBeGreaterThan(0)
  }
  expect(new Set(checks.map(([number]) => number))).toEqual(new Set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]))
})

it('expects of small texts what the model of D1 does, which in one case is worse than the reports', () => {
  const d1 = new FakeD1(() => '', new WorkerHost())
  const { uuid } = d1.create('probed')
  const refusalOf = (sql: string) => {
    const answer = d1.answer('POST', [uuid, 'query'], new URLSearchParams(), () => ({ sql }))
    return answer instanceof Refusal ? answer.message : null
  }
  const probes = Object.fromEntries(Object.entries(PROBES).map(([name, sql]) => [name, refusalOf(sql)]))
  const checks = EXPERIMENTS.find(({ number }) => number === 1)?.checks ?? []
  const judged = checks.map(({ name, judge }) => [name, judge({ byQuery: {}, byImport: null, probes }).verdict])
  expect(judged.filter(([, verdict]) => verdict !== 'expected')).toEqual([['trigger, (CASE … END)', 'harmless']])
})

it('names for each difference its meaning and the place to change in Roster', () => {
  for (const [number, name, , verdict] of CASES) {
    const { meaning, harmless } = checkOf(number, name)
    if (verdict === 'different') expect(meaning, name).not.toBe('')
    if (verdict === 'harmless') expect(harmless ?? meaning, name).not.toBe('')
  }
  const checks = EXPERIMENTS.flatMap((experiment) => experiment.checks)
  expect(checks.filter(({ change }) => change.length === 0)).toEqual([])
  const places = checks.flatMap(({ change }) => change)
  expect(places.filter(({ file, text }) => !existsSync(file) || !readFileSync(file, 'utf8').includes(text))).toEqual([])
})
