/**
 * The steps of an import in the console: a file, its columns, a dry run, the import. Pure. The import can only begin behind
 * a dry run of the same file with the same columns.
 */
import type { UploadEnd } from '../../../scripts/import-upload.ts'
import { columnProblems, type GuessedColumn } from './column-guess.ts'
import type { Progress } from './import-run.ts'

export interface PickedFile {
  name: string
  size: number
  format: 'csv' | 'ndjson'
}

export type ImportState =
  | { at: 'empty'; problem: string | null }
  | { at: 'columns'; file: PickedFile; columns: readonly GuessedColumn[] }
  | { at: 'running'; isDryRun: boolean; file: PickedFile; columns: readonly GuessedColumn[]; progress: Progress }
  | {
      at: 'ended'
      isDryRun: boolean
      file: PickedFile
      columns: readonly GuessedColumn[]
      progress: Progress
      end: UploadEnd
    }

export type ImportEvent =
  | { type: 'picked'; file: PickedFile; columns: readonly GuessedColumn[] }
  | { type: 'refused'; problem: string }
  | { type: 'mapped'; name: string; field: string | null }
  | { type: 'began'; isDryRun: boolean }
  | { type: 'continued' }
  | { type: 'advanced'; progress: Progress }
  | { type: 'ended'; progress: Progress; end: UploadEnd }
  | { type: 'back' }
  | { type: 'left' }

export const NO_FILE: ImportState = { at: 'empty', problem: null }
const NO_PROGRESS: Progress = {
  lines: 0,
  counts: { created: 0, updated: 0, unchanged: 0, error: 0 },
  rejected: [],
}

/** Returns the state after an event. An event that does not belong to the state leaves it as it is. */
export function afterEvent(state: ImportState, event: ImportEvent): ImportState {
  switch (event.type) {
    case 'picked':
      return isBusy(state) ? state : { at: 'columns', file: event.file, columns: event.columns }
    case 'refused':
      return isBusy(state) ? state : { at: 'empty', problem: event.problem }
    case 'left':
      return isBusy(state) ? state : NO_FILE
    case 'mapped':
      return state.at === 'columns' ? { ...state, columns: mapped(state.columns, event.name, event.field) } : state
    case 'began':
      if (!(event.isDryRun ? mayCheck(state) : mayImport(state)) || state.at === 'empty') return state
      return { ...kept(state), at: 'running', isDryRun: event.isDryRun, progress: NO_PROGRESS }
    case 'continued':
      if (!mayContinue(state) || state.at !== 'ended') return state
      return { ...kept(state), at: 'running', isDryRun: state.isDryRun, progress: state.progress }
    case 'advanced':
      return state.at === 'running' ? { ...state, progress: event.progress } : state
    case 'ended':
      return state.at === 'running' ? { ...state, at: 'ended', progress: event.progress, end: event.end } : state
    case 'back':
      return state.at === 'ended' ? { ...kept(state), at: 'columns' } : state
  }
}

function kept({ file, columns }: Exclude<ImportState, { at: 'empty' }>) {
  return { file, columns }
}

function mapped(columns: readonly GuessedColumn[], name: string, field: string | null): GuessedColumn[] {
  return columns.map((column) => (column.name === name ? { ...column, field, by: 'name' } : column))
}

function isBusy(state: ImportState): boolean {
  return state.at === 'running'
}

/** Returns whether a dry run can begin: the columns are chosen, and one of them is the external id. */
export function mayCheck(state: ImportState): boolean {
  if (state.at !== 'columns') return false
  return state.file.format === 'ndjson' || columnProblems(state.columns).length === 0
}

/** Returns whether the import can begin: a dry run has seen every line, and a line would be imported. */
export function mayImport(state: ImportState): boolean {
  if (state.at !== 'ended' || !state.isDryRun || state.end.kind !== 'done') return false
  const { created, updated } = state.progress.counts
  return created + updated > 0
}

/** Returns whether an import that stopped can go on. A dry run begins anew: it does not know what it would have done. */
export function mayContinue(state: ImportState): boolean {
  return state.at === 'ended' && !state.isDryRun && state.end.kind !== 'done'
}

/** Returns how many lines have a result. */
export function answered({ counts }: Progress): number {
  return counts.created + counts.updated + counts.unchanged + counts.error
}
