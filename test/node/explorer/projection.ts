/**
 * The part of a gate, an isolate and a message that belongs to a state, field by field. A field that does not is set to a constant in the
 * object itself, not merely left out of the comparison: else the future would depend on which representative came first. What is
 * constant here is only efficiency, and the explorer plays it as an adversary instead: how much an isolate asks for and when, how
 * long it backs off, how busy the gate is. C1 to C3 must hold for all of that.
 *
 * projection.model.test.ts has every field of every class, and fails for one that it does not have: none is added unnoticed.
 */

import type { LeaseState } from '../../../src/gate/isolate/lease-state.ts'
import type { Lease, LeaseRequest } from '../../../src/gate/protocol/leases.ts'
import type * as CoreModule from '../gate/core.ts'
import type { Instants } from './components.ts'
import type { ExplorerStore } from './store.ts'

export type Core = typeof CoreModule
export type GateCore = InstanceType<Core['GateCore']>

/** Where the clock of the world stands, always. Instants move. The noon of a day long ago has few digits. */
export const NOW_MS = Date.UTC(1970, 0, 1, 12)

/** The latest that an isolate reads its clock. */
export const LAG_MAX_MS = 40

/** After this long a gate has forgotten a grant, and no lease is waited for. */
const REMEMBERED_MS = 2_001
/** After this long a start holds no write back for a move. */
const MOVE_REMEMBERED_MS = 5_000

export interface Kept {
  /** The year's count, and the isolates by name. */
  year?: boolean
  /** The traces of clocks that are off: measured durations, and how far each clock was off. */
  clocks?: boolean
  /** Which calls are under way at an isolate whose clock goes back. */
  jumps?: boolean
  /** The verdicts on keys. */
  keys?: boolean
  /** Ages beyond ten seconds, when a grant is forgotten. */
  ages?: boolean
}

export interface Gate {
  core: GateCore
  store: ExplorerStore
  /** How far its own clock is ahead of the world's: below zero once it has lost time. */
  aheadMs: number
  /** Tickets of writes that were admitted and have not begun. */
  tickets: number[]
}

export interface Isolate {
  state: LeaseState
  /** How far its clock is off. */
  offMs: number
}

export type Message =
  | { kind: 'ask'; body: LeaseRequest }
  | { kind: 'answer'; body: Exclude<ReturnType<GateCore['lease']>, { kind: 'other_version' }>; sentAtMs: number }

/** The private fields of the core, as the open build of it has them. */
interface OpenGrant {
  permits: number
  spent: number
  unspent: number
  expiresAtMs: number
  deadTick: number | null
}
interface OpenBucket {
  _grants: Map<number, OpenGrant>
  _dead: OpenGrant[]
  _headroom: { tick: number; atMs: number }[]
  _tick: number
  _limitsSinceMs: number
}
export interface OpenCore {
  _nowMs: number
  _loaded: { atMs: number; movedAtMs?: number } | null
  _writesOpenAtMs: number
  _wall: { _lostMs: number; _behindMs: Map<string, number> }
  _bucket: OpenBucket
  _sizing: { _atMs: number; _demand: number; _leaseRequests: number; _paceMs: number }
  _annual: {
    _tallies: Map<string, { heardAtMs: number }>
    _days: Map<string, unknown>
    _count: number
    _owed: number
    _countedFrom: string | null
    _year: unknown
  }
  _saver: { _saves: number; _horizonMs: number }
  _waits: { _earlierUntilMs: number; _leasedUntilMs: Map<number, number> }
  _d1: { _d1Ms: number | null; _observedAtMs: number }
}

export const GATE_INSTANTS: Instants = new Set([
  ...['_nowMs', '_d1Ms', '_observedAtMs', '_limitsSinceMs', '_horizonMs', '_earlierUntilMs', '_leasedUntilMs', '_atMs'],
  ...['atMs', 'elapsedMs', 'expiresAtMs', 'horizonMs', 'deadlineMs', 'heardAtMs', 'movedAtMs', '_writesOpenAtMs'],
])
export const ISOLATE_INSTANTS: Instants = new Set([
  ...['clockMs', 'gateMs', 'arrivedAtMs', 'leasedUntilMs', 'renewAtMs', 'roomAtMs', 'backoffUntilMs', 'fullAtMs'],
  ...['expiresAtMs', 'settledAtMs', 'usedAtMs', 'reportedUseMs', 'sentUseMs', 'useSentAtMs', 'flightAtMs', 'underWay'],
  ...['sentByClockBefore', 'windowAtMs', 'repliedAtMs'],
])
/** `elapsedMs` of a message is a duration. */
export const MESSAGE_INSTANTS: Instants = new Set(['sentAtMs', 'gateMs'])

/** Brings a gate into its canonical form. */
export function projectGate({ core, store, aheadMs }: Gate, kept: Kept): void {
  const open = core as unknown as OpenCore
  const nowMs = NOW_MS + aheadMs
  if (open._loaded) open._loaded.atMs = NOW_MS
  if (store.rows.loaded) store.rows.loaded.atMs = NOW_MS
  for (const loaded of [open._loaded, store.rows.loaded]) {
    if (loaded?.movedAtMs !== undefined) loaded.movedAtMs = Math.max(loaded.movedAtMs, NOW_MS - MOVE_REMEMBERED_MS)
  }
  open._writesOpenAtMs = Math.max(open._writesOpenAtMs, nowMs - 1)
  if (!kept.clocks) {
    open._wall._lostMs = 0
    open._wall._behindMs.clear()
  }
  Object.assign(open._sizing, { _atMs: nowMs, _demand: 0, _leaseRequests: 0, _paceMs: 0 })
  for (const tally of open._annual._tallies.values()) tally.heardAtMs = NOW_MS
  for (const tally of Object.values(store.rows.state?.annual.tallies ?? {})) tally.heardAtMs = NOW_MS
  if (!kept.year) {
    Object.assign(open._annual, { _count: 0, _owed: 0, _countedFrom: null, _year: null })
    open._annual._tallies.clear()
    open._annual._days.clear()
    if (store.rows.state) Object.assign(store.rows.state.annual, { yearStart: '', count: 0, days: {}, tallies: {} })
    open._saver._saves = Math.min(1, open._saver._saves)
  }
  const waits = open._waits
  waits._earlierUntilMs = Math.max(waits._earlierUntilMs, nowMs - REMEMBERED_MS)
  for (const [version, untilMs] of waits._leasedUntilMs)
    waits._leasedUntilMs.set(version, Math.max(untilMs, nowMs - REMEMBERED_MS))
  if (open._bucket) projectBucket(open._bucket, nowMs, kept)
}

/** Ticks only have an order, and what nobody can ask for any more is dropped. */
function projectBucket(bucket: OpenBucket, nowMs: number, kept: Kept): void {
  for (const [ordinal, { permits, spent, unspent, deadTick }] of bucket._grants) {
    if (deadTick !== null && spent + unspent === permits) bucket._grants.delete(ordinal)
  }
  bucket._dead = bucket._dead.filter(({ permits, spent, unspent }) => spent + unspent < permits)
  if (!kept.clocks) {
    const oldest = Math.min(...bucket._dead.map(({ deadTick }) => deadTick ?? 0))
    bucket._headroom = bucket._headroom.filter(({ tick }) => tick >= oldest)
    bucket._limitsSinceMs = Number.NEGATIVE_INFINITY
    if (!kept.ages) {
      for (const note of bucket._headroom) Object.assign(note, { atMs: nowMs, elapsedMs: nowMs })
      for (const grant of bucket._dead) grant.expiresAtMs = nowMs
    }
  }
  const ticks = [...bucket._headroom.map(({ tick }) => tick), ...bucket._dead.map(({ deadTick }) => deadTick ?? 0)]
  const rank = new Map([...new Set(ticks)].sort((a, b) => a - b).map((tick, at) => [tick, at]))
  for (const note of bucket._headroom) note.tick = rank.get(note.tick) as number
  for (const grant of bucket._dead) grant.deadTick = rank.get(grant.deadTick as number) as number
  bucket._tick = rank.size
}

/** Brings an isolate into its canonical form. What is over is over: an expiry before the latest clock is the same as any other. */
export function projectIsolate({ state, offMs }: Isolate, kept: Kept): void {
  const nowMs = NOW_MS + offMs
  const pastMs = nowMs - LAG_MAX_MS - 1
  const bounded = (atMs: number) => Math.max(atMs, pastMs)
  Object.assign(state, {
    clockMs: Math.max(state.clockMs, nowMs - LAG_MAX_MS),
    leasedUntilMs: bounded(state.leasedUntilMs),
    renewAtMs: pastMs,
    refusal: null,
    roomAtMs: null,
    saturated: false,
    fraction: 1,
    backoffUntilMs: pastMs,
    unreachable: false,
    remaining: 0,
    fullAtMs: pastMs,
    unknown: [],
    verdict: null,
    isCounted: false,
    isUseUnreported: false,
    retryAfterMs: 0,
    flightAtMs: null,
    roundTripMs: 50,
    counted: 0,
    ratePerMs: 0,
    windowAtMs: nowMs,
    windowCount: 0,
    limited: 0,
    repliedAtMs: nowMs,
  } satisfies Partial<LeaseState>)
  if (!kept.year) Object.assign(state, { admitted: 0, savedAdmitted: 0, savedLimited: 0, savedErrors: 0 })
  if (!kept.clocks) state.since = null
  if (!kept.jumps) {
    state.underWay.clear()
    state.sentByClockBefore.clear()
  }
  for (const grant of state.grants) {
    grant.expiresAtMs = bounded(grant.expiresAtMs)
  }
  if (!kept.keys) state.verdicts.clear()
  for (const held of state.verdicts.values()) {
    Object.assign(held, { usedAtMs: nowMs, reportedUseMs: nowMs, sentUseMs: nowMs, useSentAtMs: pastMs })
    held.expiresAtMs = bounded(held.expiresAtMs)
  }
}

/** Brings a message into its canonical form: without figures for headers and sizes. */
export function projectMessage(message: Message, kept: Kept): void {
  const { kind, body } = message
  if (kind === 'ask') {
    Object.assign(body, { counted: 0, uses: {} })
    if (!kept.clocks) body.since = null
    if (!kept.year)
      Object.assign(body.tally, { admitted: 0, savedAdmitted: 0, held: 0, lastLeaseEpoch: 0, lastLeaseOrdinal: 0 })
  } else if (body.kind === 'lease') {
    Object.assign(body, {
      saturated: false,
      fraction: 1,
      backoffMs: 0,
      remaining: 0,
      fullInMs: 0,
    } satisfies Partial<Lease>)
    Object.assign(body, { refusal: null, roomInMs: undefined } satisfies Partial<Lease>)
    if (!kept.clocks) body.gateMs = NOW_MS
  }
}
