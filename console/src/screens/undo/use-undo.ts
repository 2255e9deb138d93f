/**
 * Drives an undo: a dry run, then the undo itself, which can be sent again if it stopped.
 */
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { call, type Place } from '../../api/call.ts'
import { placeFor, useMe } from '../../api/me.ts'
import { sendForStream } from '../../api/send.ts'
import { NOTHING_UNDONE, readUndo, type UndoProgress } from '../../lib/undo-run.ts'
import { useActorName } from '../customer/actor.tsx'

/** The author or the import whose changes are undone, and since when. Without a time, the person says it. */
export type UndoChoice = { since: string | null } & ({ importId: string } | { actor: string })

export type UndoState =
  | { at: 'asked' }
  | { at: 'running'; isDryRun: boolean; progress: UndoProgress }
  | { at: 'ended'; isDryRun: boolean; progress: UndoProgress; error: unknown }

interface Options {
  place: Place
  choice: UndoChoice
  /** ISO 8601; null as long as it is not said. */
  since: string | null
  reason: string
}

const STOPPED = 'You have stopped it. What is undone by then stays undone'

export function useUndo({ place, choice, since, reason }: Options) {
  const me = useMe()
  const queries = useQueryClient()
  const nameOf = useActorName(place.tenantId)
  const [state, setState] = useState<UndoState>({ at: 'asked' })
  const abort = useRef(new AbortController())
  useEffect(() => () => abort.current.abort(), [])
  const makeCall = (from: string, isDryRun: boolean) =>
    call('POST', '/v1/undo', {
      body: {
        ...('actor' in choice ? { actor: choice.actor } : { import_id: choice.importId }),
        since: from,
        ...(isDryRun && { dry_run: true }),
      },
      ...(reason.trim() !== '' && { reason: reason.trim() }),
      ...placeFor(me, place),
    })

  async function start(isDryRun: boolean) {
    if (since === null) return
    abort.current = new AbortController()
    const { signal } = abort.current
    let progress = NOTHING_UNDONE
    const show = (next: UndoProgress) => {
      progress = next
      setState({ at: 'running', isDryRun, progress })
    }
    show(progress)
    try {
      const stream = await sendForStream(makeCall(since, isDryRun), signal)
      progress = await readUndo(stream, nameOf, show)
      setState({ at: 'ended', isDryRun, progress, error: null })
    } catch (error) {
      const stopped = signal.aborted ? STOPPED : ''
      setState({ at: 'ended', isDryRun, progress: { ...progress, stopped }, error: signal.aborted ? null : error })
    }
    if (!isDryRun) queries.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'me' })
  }

  return { state, makeCall, start, stop: () => abort.current.abort(), reset: () => setState({ at: 'asked' }) }
}
