/** The steps of the space of deliveries: scenarios, events, and how a path reads as a story. */

export interface DeliveriesScenario {
  name: string
  /** The customers whose changes are committed, in this order. */
  commits: readonly string[]
  ticks: number
  stepsMs: readonly number[]
  /** Attempts that the receiver answers with 500, and with 410. All others it answers with 200. */
  fails?: number
  gones?: number
  /** Messages that the queue delivers twice. One that it loses is one that never arrives. */
  doubles?: number
  /** Trips to D1 whose answer is lost, after they ran. */
  losses?: number
  sweeps?: number
  /** How often the first event is sent again. */
  redeliveries?: number
  /** How often all that waits for its next attempt is to be attempted now. */
  hurries?: number
  /** How often the tenant is suspended, and active again. */
  suspensions?: number
  /** True if each state of D1 is played to its end, with all that was under way lost. */
  playsOn?: boolean
}

export type DeliveriesEvent =
  | { kind: 'commit'; customer: string }
  | { kind: 'begin'; what: string; isDoubled: boolean }
  | { kind: 'trip'; worker: string; isLost: boolean }
  | { kind: 'respond'; worker: string; status: number }
  | { kind: 'tick'; ms: number }
  | { kind: 'sweep' | 'redeliver' | 'hurry' | 'suspend' | 'resume' }

/** Returns the story of a path as lines. */
export function story(path: readonly DeliveriesEvent[], violation: string): string {
  const lines = path.map((event, at) => `${String(at + 1).padStart(3)}. ${sentence(event)}`)
  return [...lines, `     ${violation}`].join('\n')
}

function sentence(event: DeliveriesEvent): string {
  switch (event.kind) {
    case 'commit':
      return `a change of customer ${event.customer} is committed`
    case 'begin':
      return `a consumer gets the message about ${event.what}${event.isDoubled ? ', and the queue keeps it' : ''}`
    case 'trip':
      return `D1 runs the next trip of ${event.worker}${event.isLost ? ', and the answer is lost' : ''}`
    case 'respond':
      return `the receiver answers ${event.worker} with ${event.status}`
    case 'tick':
      return `${event.ms} ms pass`
    case 'sweep':
      return 'the sweep begins'
    case 'redeliver':
      return 'the first event is to be sent again'
    case 'hurry':
      return 'all that waits is to be attempted now'
    case 'suspend':
      return 'the tenant is suspended'
    case 'resume':
      return 'the tenant is active again'
  }
}
