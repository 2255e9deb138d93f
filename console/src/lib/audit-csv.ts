/**
 * Writes audit entries as CSV that a spreadsheet opens and runs nothing of. Pure.
 */
import { csvRecord } from '../../../src/formats/files/csv.ts'
import { escapeFormula } from '../../../src/shared/spreadsheet.ts'
import { type Recorded, whatHappened } from './changes.ts'

export interface AuditRow extends Recorded {
  id: string
  tenant_id: string | null
  mode: string | null
  customer_id: string | null
  key_id: string | null
  request_id: string | null
  created_at: string
}

const COLUMNS = [
  'time',
  'type',
  'what',
  'actor',
  'reason',
  'tenant_id',
  'mode',
  'customer_id',
  'key_id',
  'request_id',
  'changes',
]

/** Returns the file as text. Its BOM says that it is UTF-8. */
export function auditCsv(entries: readonly AuditRow[]): string {
  const rows = entries.map((entry) => [
    entry.created_at,
    entry.type,
    whatHappened(entry),
    entry.actor,
    entry.reason ?? '',
    entry.tenant_id ?? '',
    entry.mode ?? '',
    entry.customer_id ?? '',
    entry.key_id ?? '',
    entry.request_id ?? '',
    JSON.stringify(entry.changes),
  ])
  return `\ufeff${[COLUMNS, ...rows].map((cells) => csvRecord(cells.map(escapeFormula))).join('')}`
}
