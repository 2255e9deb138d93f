/**
 * Turns the output of `wrangler tail --format json` into readable lines: one for each line that Roster logged, each exception
 * and each invocation that ended badly. Pure; `tail.mjs` runs the process and prints.
 */

import { plainText } from '../src/shared/shown-text.ts'

/** The parts of an invocation that are used, as `wrangler tail` prints it. */
export interface Invocation {
  outcome?: string
  eventTimestamp: number
  logs?: { timestamp: number; level: string; message: unknown }[]
  exceptions?: { timestamp: number; name: string; message: string }[]
}

/** A log line of Roster. */
interface Line {
  level: string
  event: string
  [field: string]: unknown
}
type Entry = Line & { atMs: number }

const COLOURS: Record<string, number> = { info: 32, warn: 33, error: 31 }
const DIM = 2
/** Fields with a fixed place in a line. */
const PLACED = new Set(['level', 'event', 'tenantId', 'mode', 'requestId', 'reason', 'error'])
/** Outcomes of invocations that succeeded, or whose caller disconnected. */
const GOOD_OUTCOMES = new Set(['ok', 'canceled', 'responseStreamDisconnected'])

/**
 * Cuts a stream of text into JSON documents. Wrangler prints each over several lines, of which only the first and the last
 * begin at the margin. `onOther` receives the lines between the documents.
 */
export class Documents {
  #rest = ''
  #open: string[] | null = null
  readonly #onDocument: (document: Invocation) => void
  readonly #onOther: (line: string) => void

  constructor(onDocument: (document: Invocation) => void, onOther: (line: string) => void) {
    this.#onDocument = onDocument
    this.#onOther = onOther
  }

  push(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#line(line.trimEnd())
  }

  #line(line: string): void {
    if (this.#open) {
      this.#open.push(line)
      if (line === '}') this.#close()
    } else if (line.startsWith('{')) {
      this.#open = [line]
      if (line.endsWith('}')) this.#close()
    } else if (line !== '') this.#onOther(line)
  }

  #close(): void {
    const text = this.#open?.join('\n') ?? ''
    this.#open = null
    try {
      this.#onDocument(JSON.parse(text))
    } catch {
      this.#onOther(text)
    }
  }
}

/** Returns the lines to print for one invocation. `tenant` is the beginning of a tenant's id; `errors` keeps lines of level error. */
export function linesOf(
  invocation: Invocation,
  {
    tenant = '',
    errors = false,
    colours = false,
  }: { tenant?: string | undefined; errors?: boolean; colours?: boolean } = {},
): string[] {
  return entriesOf(invocation)
    .filter((entry) => !errors || entry.level === 'error')
    .filter(({ tenantId }) => tenant === '' || (typeof tenantId === 'string' && tenantId.startsWith(tenant)))
    .map((entry) => formatted(entry, colours))
}

/** Returns every line of an invocation: the logged lines, each exception, and the outcome if it is a bad one. */
export function entriesOf({ eventTimestamp, outcome, logs = [], exceptions = [] }: Invocation): Entry[] {
  const entries: Entry[] = logs.flatMap(({ timestamp, level, message }) =>
    eachOf(readLine(level, message)).map((line) => ({ atMs: timestamp, ...line })),
  )
  for (const { timestamp, name, message } of exceptions) {
    entries.push({ atMs: timestamp, level: 'error', event: 'exception', error: `${name}: ${message}` })
  }
  if (outcome !== undefined && !GOOD_OUTCOMES.has(outcome)) {
    // The platform ended it, so Roster could not log which tenant it was for.
    entries.push({ atMs: eventTimestamp, level: 'error', event: 'ended', reason: outcome })
  }
  return entries
}

/** Returns a line for each change of one that has those of a batch. */
function eachOf({ changes, ...line }: Line): Line[] {
  return Array.isArray(changes) ? changes.map((change: object) => ({ ...line, ...change })) : [line]
}

/** Parses a logged message. Roster logs one JSON text; any other message is kept as its text. */
function readLine(level: string, message: unknown): Line {
  const parts = Array.isArray(message) ? message : [message]
  const [text] = parts
  if (parts.length === 1 && typeof text === 'string' && text.startsWith('{')) {
    try {
      const line = JSON.parse(text)
      if (typeof line.event === 'string') return { level, ...line }
    } catch {
      // Another writer's line.
    }
  }
  const words = parts.map((part) => (typeof part === 'string' ? part : JSON.stringify(part)))
  return { level: level === 'log' ? 'info' : level, event: 'log', error: words.join(' ') }
}

function formatted(entry: Entry, colours: boolean): string {
  const { atMs, level, event, tenantId, mode, requestId, reason, error } = entry
  const paint = (code: number | undefined, text: string) =>
    colours && code !== undefined ? `\u001b[${code}m${text}\u001b[0m` : text
  const owner = tenantId ? `${tenantId}${mode ? `/${mode}` : ''}` : '-'
  const more = Object.entries(entry)
    .filter(([name, value]) => name !== 'atMs' && !PLACED.has(name) && value !== null)
    .map(([name, value]) => `${name}=${value}`)
  return [
    paint(DIM, new Date(atMs).toISOString().slice(11, 23)),
    paint(COLOURS[level], plainText(level).padEnd(5)),
    plainText(event).padEnd(14),
    plainText(owner),
    paint(DIM, plainText(requestId ?? '-')),
    ...[reason, error, ...more].filter((part) => part !== undefined && part !== null).map(plainText),
  ].join('  ')
}
