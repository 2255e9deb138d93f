/**
 * How an import goes, and what became of it.
 */
import { Button } from '@cloudflare/kumo/components/button'
import { CheckCircleIcon, DownloadSimpleIcon, StopIcon, WarningIcon } from '@phosphor-icons/react'
import { count, number, percent } from '../../lib/format.ts'
import type { Progress } from '../../lib/import-run.ts'
import { answered, type ImportState } from '../../lib/import-steps.ts'
import { Tiles } from '../../parts/tiles.tsx'

type At<Step extends ImportState['at']> = Extract<ImportState, { at: Step }>

export function Running({ state, onStop }: { state: At<'running'>; onStop: () => void }) {
  const { progress, isDryRun } = state
  const done = answered(progress)
  const share = progress.lines > 0 ? done / progress.lines : 0
  return (
    <div className="space-y-4">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <p className="font-medium" role="status">
          {isDryRun ? 'Trying' : 'Importing'}{' '}
          {progress.lines === 0 ? '…' : `${number(done)} of ${count(progress.lines, 'line')}`}
        </p>
        <Button size="sm" icon={StopIcon} onClick={onStop}>
          Stop
        </Button>
      </div>
      <progress aria-label={isDryRun ? 'Dry run' : 'Import'} className="sr-only" max={progress.lines} value={done}>
        {percent(done, progress.lines)}
      </progress>
      <div aria-hidden className="h-2.5 overflow-hidden rounded-full bg-kumo-fill">
        <div className="h-full rounded-full bg-kumo-brand transition-[width]" style={{ width: `${share * 100}%` }} />
      </div>
      <Counts progress={progress} isDryRun={isDryRun} />
    </div>
  )
}

export function Summary({ state, rejects }: { state: At<'ended'>; rejects: () => void }) {
  const { progress, isDryRun, end } = state
  const { error } = progress.counts
  const isDone = end.kind === 'done'
  return (
    <div className="space-y-4">
      <div role="status" className="flex items-start gap-3">
        {isDone ? (
          <CheckCircleIcon size={24} weight="fill" className="shrink-0 text-kumo-success" aria-hidden />
        ) : (
          <WarningIcon size={24} weight="fill" className="shrink-0 text-kumo-warning" aria-hidden />
        )}
        <div>
          <p className="font-medium">{titleOf(state)}</p>
          {!isDone && (
            <p className="text-kumo-subtle">
              {end.message}.{' '}
              {isDryRun
                ? 'Nothing was changed.'
                : 'Continue sends the rest; a line that was imported already stays as it is.'}
            </p>
          )}
        </div>
      </div>
      <Counts progress={progress} isDryRun={isDryRun} />
      {error > 0 && (
        <section aria-label="Rejected lines" className="space-y-3">
          <div className="flex flex-wrap items-center justify-between gap-2">
            <h3 className="font-medium">{count(error, 'line')} rejected</h3>
            <Button size="sm" icon={DownloadSimpleIcon} onClick={rejects}>
              Download them
            </Button>
          </div>
          <p className="text-sm text-kumo-subtle">
            The file has the reason of each line in the column import_error. Correct the lines there, and import that
            file.
          </p>
          <ul className="divide-y divide-kumo-hairline rounded-lg ring ring-kumo-line" aria-label="Reasons">
            {progress.rejected.map(({ line, externalId, why }) => (
              <li key={line} className="px-3 py-2">
                <span className="font-medium">Line {number(line)}</span>
                {externalId !== null && <span className="text-kumo-subtle"> ({externalId})</span>}
                <span className="block break-words text-kumo-subtle" dir="auto">
                  {why}
                </span>
              </li>
            ))}
          </ul>
          {progress.rejected.length < error && (
            <p className="text-sm text-kumo-subtle">The first {number(progress.rejected.length)}; the file has all.</p>
          )}
        </section>
      )}
    </div>
  )
}

function titleOf({ isDryRun, end, progress }: At<'ended'>): string {
  if (end.kind !== 'done')
    return isDryRun ? 'The dry run did not end' : `Stopped after ${count(answered(progress), 'line')}`
  if (!isDryRun) return 'Imported'
  const { created, updated, error } = progress.counts
  if (created + updated === 0) return error > 0 ? 'No line would be imported' : 'Nothing would change'
  return 'Dry run: nothing was changed yet'
}

function Counts({ progress, isDryRun }: { progress: Progress; isDryRun: boolean }) {
  const { created, updated, unchanged, error } = progress.counts
  const would = isDryRun ? 'would be ' : ''
  return (
    <Tiles
      tiles={[
        { name: 'created', label: `${would}created`, value: created },
        { name: 'updated', label: `${would}updated`, value: updated },
        { name: 'unchanged', label: 'unchanged', value: unchanged },
        { name: 'error', label: 'rejected', value: error, isBad: true },
      ]}
    />
  )
}
