/** The steps of the reads space: scenarios, events, and how a path reads as a story. */

export interface ReadsScenario {
  name: string
  /** The subject of the reads: one customer, or the list of all. */
  reads: number
  of?: 'customer' | 'list'
  asks: number
  /** True if replies to asks may be overtaken. */
  repliesTravel?: boolean
  /** Writes of the customer, and of another one. */
  writes: number
  otherWrites?: number
  /** Writes of another customer that are committed and settled in one step. */
  quickWrites?: number
  ticks: number
  stepsMs: readonly number[]
  restarts?: number
  /** Moves to another database, at most one. */
  moves?: number
  aheadMs?: number
  /** D1 refuses to commit a write later than this after it began. */
  deadlineMs?: number
  /** True if a write commits, and is settled, in one step. */
  wholeWrites?: boolean
  /** True if a read begins only where a lease is in force. */
  leasedReads?: boolean
  /** True if reads may send the token of a write. */
  tokens?: boolean
  /** True if KV keeps what reads fill it with. */
  kv?: boolean
  /** True if KV may take so long that D1 is asked meanwhile. */
  lateKv?: boolean
  /** True if strong writes are answered, and judged. */
  strong?: boolean
}

export type ReadsEvent =
  | { kind: 'ask'; ask: number; returns: boolean }
  | { kind: 'absorb'; place: number }
  | { kind: 'begin'; isOther: boolean; isWhole: boolean }
  | { kind: 'commit' | 'settle'; which: number; write: number }
  | { kind: 'alarm' }
  | { kind: 'freeze' }
  | { kind: 'move' }
  | { kind: 'tick'; ms: number }
  | { kind: 'restart'; aheadMs: number }
  | { kind: 'read'; token: number; isLeased: boolean; result: string }
  | { kind: 'kv'; which: number; result: string }
  | { kind: 'late' }
  | { kind: 'd1'; call: number; commits: number; result: string }

/** Returns the story of a path as lines. */
export function story(path: readonly ReadsEvent[], violation: string): string {
  const lines = path.map((event, at) => `${String(at + 1).padStart(3)}. ${sentence(event)}`)
  return [...lines, `     ${violation}`].join('\n')
}

function sentence(event: ReadsEvent): string {
  switch (event.kind) {
    case 'ask':
      return `the isolate asks for a lease (ask ${event.ask}), ${event.returns ? 'and gets it' : 'and the gate replies'}`
    case 'absorb':
      return `a reply reaches the isolate: the ${event.place === 0 ? 'oldest' : 'youngest'} that is under way`
    case 'begin':
      return `a write of ${event.isOther ? 'another' : 'the'} customer gets a number${event.isWhole ? ', is committed and settled' : ''}`
    case 'commit':
      return `D1 runs write ${event.write}`
    case 'settle':
      return `the gate settles write ${event.write}`
    case 'alarm':
      return 'the alarm of the gate looks up the overdue writes, and stores what is settled'
    case 'freeze':
      return 'the database takes no more writes'
    case 'move':
      return 'the tenant has moved to another database, and the gate learns of it'
    case 'tick':
      return `${event.ms} ms pass`
    case 'restart':
      return `the gate restarts${event.aheadMs > 0 ? `, its clock ${event.aheadMs} ms ahead` : ''}`
    case 'read':
      return `a read begins${event.token > 0 ? ` with the token of write ${event.token}` : ''}${event.isLeased ? '' : ', without a lease'}${event.result}`
    case 'kv':
      return `KV answers the read with ${event.which === 0 ? 'nothing' : `its value ${event.which}`}${event.result}`
    case 'late':
      return 'KV is late'
    case 'd1':
      return `D1 answers the read from the state after ${event.commits} commits${event.result}`
  }
}
