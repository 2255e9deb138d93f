/** From the invocations a tail receives to the lines that a rule knows. Pure. */
import { entriesOf, type Invocation } from '../../../scripts/tail-lines.ts'
import { type Rule, ruleOf } from './rules.ts'

/** The lines of one event in a batch of invocations, and the last of them. */
export interface Found {
  event: string
  lines: number
  last: Record<string, string>
}

/** Lines have ids and reasons, never keys, bodies or personal data, so all of a line may go to a chat. */
const SHOWN = ['reason', 'error', 'tenantId', 'mode', 'requestId', 'status', 'kind', 'step', 'customerId', 'endpointId']

export function foundIn(invocations: Invocation[]): Found[] {
  const found = new Map<string, Found>()
  for (const entry of invocations.flatMap(entriesOf)) {
    if (ruleOf(entry) === null) continue
    const { event } = entry
    const last = Object.fromEntries(
      SHOWN.filter((name) => entry[name] !== undefined && entry[name] !== null).map((name) => [
        name,
        String(entry[name]),
      ]),
    )
    found.set(event, { event, lines: 1 + (found.get(event)?.lines ?? 0), last: { level: entry.level, ...last } })
  }
  return [...found.values()]
}

/** Returns the text of one alert. */
export function textOf({ event, lines, last }: Found, { means, todo }: Rule): string {
  const { level, ...facts } = last
  const details = Object.entries(facts).map(([name, value]) => `${name}=${value}`)
  return [
    `${level} ${event}, ${lines} ${lines === 1 ? 'line' : 'lines'}: ${means}.`,
    `To do: ${todo}.`,
    details.join(' '),
  ]
    .filter((part) => part !== '')
    .join('\n')
}
