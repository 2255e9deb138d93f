/**
 * The import as curl, for the same file and columns.
 */
import type { Mode } from '../../api/call.ts'
import { useMe } from '../../api/me.ts'
import { mapText } from '../../lib/column-guess.ts'
import type { ImportState } from '../../lib/import-steps.ts'
import { Curl } from '../../parts/curl.tsx'
import { importCall } from './use-import.ts'

interface Props {
  state: Exclude<ImportState, { at: 'empty' }>
  tenantId: string
  mode: Mode
  reason: string
  importId: string
}

export function ImportCommand({ state, tenantId, mode, reason, importId }: Props) {
  const me = useMe()
  const { file, columns } = state
  const map = file.format === 'csv' ? mapText(columns) : ''
  const call = importCall({ tenantId, mode }, me, reason, false, importId, { map: map === '' ? null : map })
  const type = file.format === 'csv' ? 'text/csv' : 'application/x-ndjson'
  return <Curl call={{ ...call, file: { name: file.name, type } }} />
}
