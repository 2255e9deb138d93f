/**
 * Drives an import: reads the picked file, runs, and keeps the steps of `lib/import-steps.ts`.
 */
import { useQueryClient } from '@tanstack/react-query'
import { useBlocker } from '@tanstack/react-router'
import { useEffect, useReducer, useRef, useState } from 'react'
import { FileFault } from '../../../../src/formats/files/columns.ts'
import type { FileOptions } from '../../../../src/formats/files/lines.ts'
import { BULK_BOUNDS } from '../../../../src/registry/bulk.ts'
import type { Mode } from '../../api/call.ts'
import { call } from '../../api/call.ts'
import { credentialHeaders } from '../../api/credential.ts'
import { type Me, placeFor, useMe } from '../../api/me.ts'
import { guessColumns, mapOf } from '../../lib/column-guess.ts'
import { ImportRun, type Progress } from '../../lib/import-run.ts'
import { afterEvent, type ImportState, NO_FILE, type PickedFile } from '../../lib/import-steps.ts'
import { newImportId, undoOfRequest } from '../../lib/undo-run.ts'
import { download } from '../../parts/download.ts'

/** Cloudflare takes 100 MB a request on most plans, and a browser keeps the rejected lines in memory. */
export const FILE_BYTES_MAX = 100_000_000
/** Enough for the header and the samples. */
const BEGINNING_BYTES = 256 * 1024
const SHOWN_EVERY_MS = 100

export function useImport({ tenantId, mode }: { tenantId: string; mode: Mode }) {
  const me = useMe()
  const queries = useQueryClient()
  const [state, notify] = useReducer(afterEvent, NO_FILE)
  const [problem, setProblem] = useState<string | null>(null)
  const file = useRef<File | null>(null)
  const delimiter = useRef<string | null>(null)
  const run = useRef<ImportRun | null>(null)
  const abort = useRef(new AbortController())
  const shownAtMs = useRef(0)
  const [reason, setReason] = useState('')
  /** Another one for each import of a file: what it did can be undone by it. */
  const [importId, setImportId] = useState(newImportId)
  const [startedAt, setStartedAt] = useState('')
  const isRunning = state.at === 'running'
  useBlocker({
    shouldBlockFn: () => !window.confirm('The import is running. Leave, and stop it?'),
    disabled: !isRunning,
    enableBeforeUnload: isRunning,
  })
  useEffect(() => () => abort.current.abort(), [])

  async function pick(picked: File) {
    setProblem(null)
    const format = /\.(?:ndjson|jsonl|json)$/i.test(picked.name) ? 'ndjson' : 'csv'
    const shown: PickedFile = { name: picked.name, size: picked.size, format }
    try {
      if (picked.size > FILE_BYTES_MAX)
        throw new Error('The file has more than 100 MB. Import it with npm run import, which takes any size.')
      file.current = picked
      setReason(`Imported ${picked.name}`)
      setImportId(newImportId())
      if (format === 'ndjson') return notify({ type: 'picked', file: shown, columns: [] })
      const beginning = new Uint8Array(await picked.slice(0, BEGINNING_BYTES).arrayBuffer())
      const guess = guessColumns(beginning, picked.size <= BEGINNING_BYTES, READING)
      delimiter.current = guess.delimiter
      notify({ type: 'picked', file: shown, columns: guess.columns })
    } catch (error) {
      setProblem(textOf(error))
    }
  }

  async function start(isDryRun: boolean) {
    if (!file.current || state.at === 'empty') return
    const { headers, path } = importCall({ tenantId, mode }, me, reason, isDryRun, importId)
    setStartedAt(new Date().toISOString())
    run.current = new ImportRun({
      file: file.current,
      reading: readingOf(state, delimiter.current),
      url: new URL(path, window.location.origin),
      headers: { ...credentialHeaders(), ...headers },
      isDryRun,
      onProgress: show,
    })
    notify({ type: 'began', isDryRun })
    await go()
  }

  async function go() {
    setProblem(null)
    abort.current = new AbortController()
    const current = run.current
    if (!current) return
    try {
      const end = await current.run(abort.current.signal)
      notify({ type: 'ended', progress: current.progress, end })
    } catch (error) {
      // The file as a whole cannot be read, so nothing of it was sent.
      setProblem(textOf(error))
      notify({ type: 'ended', progress: current.progress, end: { kind: 'stopped', message: textOf(error) } })
    }
    queries.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'me' })
  }

  /** A line takes less than a millisecond, and drawing it takes more. */
  function show(progress: Progress) {
    const nowMs = performance.now()
    if (nowMs - shownAtMs.current < SHOWN_EVERY_MS) return
    shownAtMs.current = nowMs
    notify({ type: 'advanced', progress })
  }

  return {
    state,
    problem,
    reason,
    setReason,
    importId,
    /** Returns what undoes the import that has ended. */
    undo: () => undoOfRequest(importId, startedAt),
    pick,
    start,
    map: (name: string, field: string | null) => notify({ type: 'mapped', name, field }),
    continue: () => {
      notify({ type: 'continued' })
      return go()
    },
    stop: () => abort.current.abort(),
    back: () => {
      setImportId(newImportId())
      notify({ type: 'back' })
    },
    leave: () => {
      setProblem(null)
      notify({ type: 'left' })
    },
    /** Downloads the lines that failed, with the reasons in them. */
    rejects: () => {
      if (!run.current || state.at === 'empty') return
      const [, stem = 'customers', ending = 'csv'] = /^(.*)\.([^.]*)$/.exec(state.file.name) ?? []
      const type = state.file.format === 'csv' ? 'text/csv' : 'application/x-ndjson'
      download(`${stem}.rejects.${ending}`, type, run.current.rejects())
    },
  }
}

const READING = { encoding: null, delimiter: null, lineBytesMax: BULK_BOUNDS.lineBytesMax }

function readingOf(state: Exclude<ImportState, { at: 'empty' }>, delimiter: string | null): FileOptions {
  const { format } = state.file
  return format === 'csv'
    ? { ...READING, format, delimiter, map: mapOf(state.columns) }
    : { ...READING, format, map: new Map() }
}

/** Returns the request of the import, without its lines. */
export function importCall(
  place: { tenantId: string; mode: Mode },
  me: Me,
  reason: string,
  isDryRun: boolean,
  importId: string,
  query: Record<string, string | null> = {},
) {
  return call('POST', '/v1/customers/import', {
    query: { ...query, dry_run: isDryRun ? 'true' : null },
    headers: { 'x-request-id': importId },
    ...(me.kind === 'operator' && { reason: reason.trim() }),
    ...placeFor(me, place),
  })
}

function textOf(error: unknown): string {
  if (error instanceof FileFault) return `Nothing was imported. ${error.message}`
  return error instanceof Error ? error.message : String(error)
}
