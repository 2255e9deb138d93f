import { describe, expect, it } from 'vitest'
import { fieldsIn } from './fields.ts'
import { loadOpenCore } from './open-core.ts'
import { PERMITS } from './permits-scenarios.ts'
import { PermitsSpace } from './permits-space.ts'
import { GATE_INSTANTS, ISOLATE_INSTANTS, MESSAGE_INSTANTS } from './projection.ts'
import { explore } from './search.ts'

/** Enough states to meet every field. */
const STATES = 4_000

/** The fields of the classes. `projection.ts` keeps, bounds or fixes each of them: look there before you add one here. */
const CLASSES: Record<string, string> = {
  AnnualCount: '_count _countedFrom _days _owed _tallies _year',
  Bucket:
    '_burst _dead _free _grants _headroom _limitsNumber _limitsSinceMs _live _nowMs _outstanding _rate _regainedMs _tick',
  Changes: '_few _many',
  D1Clock: '_d1Ms _observedAtMs',
  ExplorerStore: 'isReplaced rows',
  GateCore:
    '_annual _bucket _d1 _epoch _keyUses _loaded _log _nowMs _ordinal _policy _saver _sizing _storage _verdicts _waits _wall ' +
    '_writesOpenAtMs',
  KeyUses: '_minutes _storage',
  LeaseState:
    'admitted backoffUntilMs clockMs counted epoch errors flightAtMs fraction fullAtMs gateVersion grants isCounted ' +
    'isUseUnreported leasedUntilMs limited ordinal owed permitTtlMs policy ratePerMs refusal remaining renewAtMs repliedAtMs ' +
    'retryAfterMs roomAtMs roundTripMs saturated savedAdmitted savedErrors savedLimited sentByClockBefore since tallyId ' +
    'underWay unknown unreachable verdict verdicts view windowAtMs windowCount',
  LeaseWaits: '_earlierUntilMs _leasedUntilMs',
  Ledger: '_bookmark _droppedSeq _floor _lastChange _pending _seq',
  Sizing: '_atMs _demand _leaseRequests _paceMs _random',
  StateSaver: '_annual _epoch _horizonMs _isEpochStored _log _saves _storage',
  Verdicts: '_keys ids',
  View: '_changes bookmark database floor pending seq stable',
  WallClock: '_behindMs _lostMs',
  WriteLog: '_intents _ledger _storage _storedStable',
}
/** Times that are no instants: they stay as they are when time passes. The calendar and the minute of a key's use stand still. */
const DURATIONS = new Set([
  ...['_behindMs', '_lostMs', '_paceMs', '_regainedMs', 'aheadMs', 'endsAtMs', 'usedAtMs'],
  ...['offMs', 'permitTtlMs', 'ratePerMs', 'retryAfterMs', 'roundTripMs', 'expiresInMs'],
  ...['backoffMs', 'elapsedMs', 'fullInMs', 'policyTtlMs', 'roomInMs', 'ttlMs'],
])
const PARTS = { gates: GATE_INSTANTS, isolates: ISOLATE_INSTANTS, messages: MESSAGE_INSTANTS }

describe('the list of the fields of a state', async () => {
  const core = await loadOpenCore()
  const found = { gates: new Set<string>(), isolates: new Set<string>(), messages: new Set<string>() }
  for (const { scenario } of PERMITS.filter(({ scenario }) =>
    ['expiry', 'year', 'lost time'].includes(scenario.name),
  )) {
    const { world } = await exploredSpace(new PermitsSpace(core, scenario))
    for (const part of ['gates', 'isolates', 'messages'] as const) {
      for (let id = 0; id < world[part].size; id++) fieldsIn(world[part].of(id), found[part])
    }
  }

  it('has all fields', () => {
    const known = Object.entries(CLASSES).flatMap(([name, fields]) =>
      fields.split(' ').map((field) => `${name}.${field}`),
    )
    const all = new Set(Object.values(found).flatMap((fields) => [...fields]))
    expect([...all].filter((field) => field.includes('.')).sort()).toEqual(known.sort())
  })

  it.each(['gates', 'isolates', 'messages'] as const)(
    'has a rule for each time in the %s: an instant or a duration',
    (part) => {
      const times = [...found[part]].map((field) => field.replace(/^.*\./, '')).filter((field) => field.endsWith('Ms'))
      expect(times.filter((field) => !PARTS[part].has(field) && !DURATIONS.has(field))).toEqual([])
    },
  )
})

async function exploredSpace(space: PermitsSpace): Promise<PermitsSpace> {
  await explore(space, { statesMax: STATES })
  return space
}
