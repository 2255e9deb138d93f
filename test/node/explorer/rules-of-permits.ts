/**
 * Which scenario shows each rule of permits, policies, the year and the clocks: with the rule broken (test/node/gate/mutations*.ts)
 * the explorer must find a counter-example there. Or why none can.
 */

/** The calendar does not move in the explorer, whose clock stands still. */
const NO_CALENDAR = {
  because: 'the calendar stands still here; its directed case and contract-year.model.test.ts show it',
}

export const RULES_OF_PERMITS: Record<string, string | { because: string }> = {
  '1 the potential cap': 'lower',
  '2 late permits come back up to the headroom only': 'full in between',
  '2 the headroom is given away once': 'waste',
  '3 a permit expires counted from its send time': 'lower',
  '3 the guard': 'edge',
  '3 a permit stops a guard early': 'edge',
  '4 after a restart the burst counts as outstanding': 'writes',
  '4 the horizon is stored before a lease that outlives it': 'horizon',
  '4 after an idle time the bucket has refilled since the horizon, not longer': 'idle',
  'a report is a total': 'twice',
  'lower limits: what is free shrinks with them': 'lower',
  'C2 a change waits for the leases under older versions': 'policy',
  'C2 a change waits for the leases of an earlier start': 'policy',
  'C2 the policy is stored with the change': 'policy',
  'C2 a policy that is not newer changes nothing': 'revoke',
  'a lease that was overtaken, or comes twice, brings nothing': 'twice',
  'C2 verdicts die with the policy they came with': 'revoke',
  'annual: what is owed counts against the limit': 'year',
  'annual: a total is counted once': 'year',
  'annual: the totals that were counted are stored with the count': 'year',
  'annual: a write that was stored with the count is not made up for': 'wide year',
  'annual: writes after the stored count are made up for from the log': 'wide year',
  'a raise of the limits is stored with the horizon': 'raise',
  '4 a permit taken at the gate itself is under the horizon too': 'writes',
  'annual: the last seconds of a year are stored at once': 'year',
  'annual: what an isolate has not confirmed stays owed over a restart': 'year',
  'clocks 1: nobody pushes the clock by which permits refill and expire': 'ahead',
  'clocks 1: nor by a second at most': 'ahead',
  'clocks 2: the horizon goes by the latest clock that anyone showed': 'gate that lost time restarts',
  'clocks 4: the horizon is read with slack': 'lone isolate minutes late',
  'clocks 5: of an isolate that is late the time that passes counts': 'lone isolate minutes late',
  'clocks 6: the count of a year is the sum of its days, whichever clock began it': NO_CALENDAR,
  'annual: a year that began is counted to its end, wherever the start of the contract is moved': NO_CALENDAR,
  'clocks 7: lost time comes back up to the headroom only': 'lost time',
  'clocks 7: lost time is counted once': 'lost time twice',
  'clocks 7: the headroom is noted again after lost time came back': {
    because:
      'each event of a gate notes the headroom before it spends: only the bucket alone, in its directed case, shows it',
  },
  'clocks 7: a duration that began under other limits is ignored': 'lost time and raise',
  'clocks 7: a duration is measured from the arrival of the reply': 'slow reply',
  'clocks 7: a duration is shortened by the guard': 'late reading',
  'clocks 8: permits granted under other limits do not come back': 'lost time and lower',
  'clocks 10: a clock that goes back ends all leases of the isolate': 'clock goes back',
  'clocks 10: so does what was asked for before it went back': 'clock goes back',
  'clocks 11: a change waits for the whole life of a lease': 'gate finds time again',
}
