/**
 * Computes what a month of Roster costs on Cloudflare: one table has the prices, another what an operation uses.
 * `npm run docs` writes the result into docs/, and a test fails if page and computation differ. Pure.
 */
import { CHANGES_KEPT, HORIZON_AHEAD_MS } from '../src/gate/protocol/constants.ts'
import { CHANGE_ROWS, GATE_ROWS, WEBHOOK_ROWS } from '../test/shared/rows-written.ts'

const MILLION = 1_000_000
const BILLION = 1_000 * MILLION
const MONTH_SECONDS = 30 * 86_400

/**
 * USD for each `per` units beyond what Workers Paid includes a month. Cloudflare's list prices, as documented in autumn
 * 2026.
 */
export const PRICES = {
  requests: { usd: 0.3, per: MILLION, included: 10 * MILLION },
  cpuMs: { usd: 0.02, per: MILLION, included: 30 * MILLION },
  objectRequests: { usd: 0.15, per: MILLION, included: MILLION },
  objectGbSeconds: { usd: 12.5, per: MILLION, included: 0.4 * MILLION },
  objectRowsWritten: { usd: 1, per: MILLION, included: 50 * MILLION },
  kvReads: { usd: 0.5, per: MILLION, included: 10 * MILLION },
  kvWrites: { usd: 5, per: MILLION, included: MILLION },
  kvDeletes: { usd: 5, per: MILLION, included: MILLION },
  kvGb: { usd: 0.5, per: 1, included: 1 },
  d1RowsRead: { usd: 0.001, per: MILLION, included: 25 * BILLION },
  d1RowsWritten: { usd: 1, per: MILLION, included: 50 * MILLION },
  d1Gb: { usd: 0.75, per: 1, included: 5 },
  r2Writes: { usd: 4.5, per: MILLION, included: MILLION },
  r2Reads: { usd: 0.36, per: MILLION, included: 10 * MILLION },
  r2Gb: { usd: 0.015, per: 1, included: 10 },
  logLines: { usd: 0.6, per: MILLION, included: 20 * MILLION },
  queueOperations: { usd: 0.4, per: MILLION, included: MILLION },
  workflowSteps: { usd: 0.8, per: 100_000, included: 0 },
} as const
export const PLAN_USD = 5

/**
 * The use of one operation. Rows come from the tests that measure them; the rest is measured by `npm run bench` or
 * assumed.
 */
export const COUNTS = {
  cpuMsOfRequest: 1,
  /** A gate in memory is billed as 128 MB, however much it uses. */
  gbOfGate: 0.128,
  /** A change costs at most one row more than `create`: an e-mail address, a parent, or an integration. */
  d1RowsOfWrite: CHANGE_ROWS.create + 1,
  /** The batch of one write, and its alarm, which writes within the next 12 s would share. */
  gateRowsOfWrite: GATE_ROWS.insert + GATE_ROWS.prune + GATE_ROWS.stable + 1,
  /** A gate with traffic saves its state a second before the horizon that it saved last. */
  gateStatesAMonth: (GATE_ROWS.state * MONTH_SECONDS) / (HORIZON_AHEAD_MS / 1_000 - 1),
  /** At most one a minute for each key; a tenant is taken to use one key all the time. */
  gateUsesAMonth: (GATE_ROWS.use * MONTH_SECONDS) / 60,
  /**
   * A gate loads its policy every five minutes of use, and writes a row by which it proves that it is the current one.
   */
  gateLoadsAMonth: MONTH_SECONDS / 300,
  kvShareOfReads: 0.5,
  kvLifeDays: 7,
  kvKbOfCustomer: 1,
  d1KbOfCustomer: 1.6,
  d1KbOfChange: 5,
  monthsOfEvents: 0.5,
  monthsOfArchive: 13,
  r2KbOfChange: 0.6,
  changesOfObject: 2_000,
  /**
   * `head_sampling_rate` of the traces in wrangler.toml, and the spans of a request that waits for a gate, KV or D1.
   */
  tracedShare: 0.01,
  spansOfTrace: 6,
  queueOperationsOfMessage: 3,
  rowsOfDelivery: WEBHOOK_ROWS.queued + WEBHOOK_ROWS.delivered,
} as const

export interface Month {
  requests: number
  tenants: number
  customers: number
  writes: number
}

export const MONTHS: readonly Month[] = [
  { requests: 10 * MILLION, tenants: 10, customers: 100_000, writes: 100_000 },
  { requests: BILLION, tenants: 100, customers: 2 * MILLION, writes: 300_000 },
]

/**
 * Returns how many times a month a customer that is read all the time is written to KV: its value ends after seven
 * days, or when its tenant has changed so many others that a gate no longer knows whether it changed.
 */
export function kvPutsOfCustomer({ writes, tenants }: Month): number {
  return Math.max(30 / COUNTS.kvLifeDays, writes / tenants / CHANGES_KEPT)
}

type Unit = keyof typeof PRICES
interface Line {
  what: string
  unit: Unit
  amount: (month: Month) => number
}

const LINES: readonly Line[] = [
  { what: 'requests', unit: 'requests', amount: ({ requests }) => requests },
  { what: 'CPU, 1 ms a request', unit: 'cpuMs', amount: ({ requests }) => requests * COUNTS.cpuMsOfRequest },
  { what: 'calls of gates, one a request', unit: 'objectRequests', amount: ({ requests }) => requests },
  {
    what: 'gates in memory, all month',
    unit: 'objectGbSeconds',
    amount: ({ tenants }) => tenants * COUNTS.gbOfGate * MONTH_SECONDS,
  },
  {
    what: `rows of gates, one in ${HORIZON_AHEAD_MS / 1_000 - 1} s and ${COUNTS.gateRowsOfWrite} a write`,
    unit: 'objectRowsWritten',
    amount: ({ tenants, writes }) =>
      tenants * (COUNTS.gateStatesAMonth + COUNTS.gateUsesAMonth + COUNTS.gateLoadsAMonth) +
      writes * COUNTS.gateRowsOfWrite,
  },
  {
    what: 'KV reads, every second read',
    unit: 'kvReads',
    amount: ({ requests, writes }) => (requests - writes) * COUNTS.kvShareOfReads,
  },
  { what: 'KV writes', unit: 'kvWrites', amount: (month) => month.customers * kvPutsOfCustomer(month) },
  {
    what: 'KV, 1 KB a customer',
    unit: 'kvGb',
    amount: ({ customers }) => (customers * COUNTS.kvKbOfCustomer) / MILLION,
  },
  { what: 'D1 rows read', unit: 'd1RowsRead', amount: ({ requests }) => 2 * requests },
  {
    what: `D1 rows written, ${COUNTS.d1RowsOfWrite} a write`,
    unit: 'd1RowsWritten',
    amount: ({ writes }) => writes * COUNTS.d1RowsOfWrite,
  },
  { what: 'D1, customers and 14 days of changes', unit: 'd1Gb', amount: d1Gb },
  {
    what: 'R2 writes, an object a tenant and day, or 2,000 changes',
    unit: 'r2Writes',
    amount: ({ tenants, writes }) => 30 * tenants + writes / COUNTS.changesOfObject,
  },
  {
    what: 'R2, 400 days of changes',
    unit: 'r2Gb',
    amount: ({ writes }) => (writes * COUNTS.monthsOfArchive * COUNTS.r2KbOfChange) / MILLION,
  },
  {
    what: `log lines, one a write, and ${COUNTS.spansOfTrace} spans of each traced request`,
    unit: 'logLines',
    amount: ({ requests, writes }) => writes + requests * COUNTS.tracedShare * COUNTS.spansOfTrace,
  },
]

export function d1Gb({ customers, writes }: Month): number {
  return (customers * COUNTS.d1KbOfCustomer + writes * COUNTS.monthsOfEvents * COUNTS.d1KbOfChange) / MILLION
}

/** Returns the USD of an amount a month, beyond what is included. */
export function priceOf(unit: Unit, amount: number): number {
  const { usd, per, included } = PRICES[unit]
  return (Math.max(0, amount - included) / per) * usd
}

export function totalOf(month: Month): number {
  return LINES.reduce((sum, { unit, amount }) => sum + priceOf(unit, amount(month)), PLAN_USD)
}

/** Returns the table of docs/ as Markdown. */
export function billTable(): string {
  const heads = MONTHS.map(({ requests }) => `${amountText(requests)} requests`)
  const rows = LINES.map(({ what, unit, amount }) => {
    const { usd, per, included } = PRICES[unit]
    const price = `${usd} ${per === 1 ? 'a GB' : `a ${per === MILLION ? 'million' : amountText(per)}`}, beyond ${amountText(included)}`
    return [what, price, ...MONTHS.flatMap((month) => [amountText(amount(month)), money(priceOf(unit, amount(month)))])]
  })
  const empty = MONTHS.flatMap(() => [''])
  return [
    row(['what', 'USD', ...heads.flatMap((head) => [head, 'USD'])]),
    row(['---', '---', ...MONTHS.flatMap(() => ['--:', '--:'])]),
    row(['Workers Paid', '', ...empty.flatMap((cell) => [cell, money(PLAN_USD)])]),
    ...rows.map(row),
    row(['**together**', '', ...MONTHS.flatMap((month) => ['', `**${money(totalOf(month))}**`])]),
  ].join('\n')
}

/**
 * Returns the sentences below the table that contain numbers, as Markdown, so that they cannot differ from the table.
 */
export function billFacts(): string {
  const [small, large] = MONTHS as [Month, Month]
  const perMillion = [small, large].map((month) => money(totalOf(month) / (month.requests / MILLION)))
  const idle = [small, large].map((month) =>
    money(totalOf(month) - priceOf('objectGbSeconds', month.tenants * COUNTS.gbOfGate * MONTH_SECONDS)),
  )
  const message = COUNTS.queueOperationsOfMessage * PRICES.queueOperations.usd
  return [
    `- For each million requests: ${perMillion[0]} and ${perMillion[1]}. Without the line for gates in memory: ${idle[0]} and ${idle[1]} a month.`,
    `- A webhook is ${COUNTS.queueOperationsOfMessage} operations of the queue (${money(message)} a million messages; each further attempt is another message) and ${2 * COUNTS.rowsOfDelivery} rows of D1: ${COUNTS.rowsOfDelivery} until it is delivered, ${COUNTS.rowsOfDelivery} when it is deleted 30 days later.`,
    `- A step of an onboarding is ${money((PRICES.workflowSteps.usd / PRICES.workflowSteps.per) * MILLION)} a million. An erasure deletes its values in KV: ${money(PRICES.kvDeletes.usd)} a million beyond the first.`,
    `- A database costs nothing by itself. The sweep of each further one is a message of the queue a minute: ${money((MONTH_SECONDS / 60 / MILLION) * message)} a month.`,
    `- Each further span of traced requests costs ${money((large.requests * COUNTS.tracedShare * PRICES.logLines.usd) / MILLION)} in the second month. \`[observability.traces]\` off costs nothing.`,
  ].join('\n')
}

function row(cells: string[]): string {
  return `| ${cells.join(' | ')} |`
}

function money(usd: number): string {
  return usd.toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 })
}

function amountText(amount: number): string {
  if (amount >= BILLION) return `${short(amount / BILLION)} B`
  return amount >= 100_000 ? `${short(amount / MILLION)} M` : short(amount)
}

function short(amount: number): string {
  return amount.toLocaleString('en', { maximumSignificantDigits: 3 })
}
