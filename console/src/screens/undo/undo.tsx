/**
 * Takes back what an import, a request or a key did: looks first, shows what would change and what is in the way, and undoes it
 * when the company's name is typed.
 */
import { Button } from '@cloudflare/kumo/components/button'
import { Dialog } from '@cloudflare/kumo/components/dialog'
import { Input } from '@cloudflare/kumo/components/input'
import { ArrowUUpLeftIcon } from '@phosphor-icons/react'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { Place } from '../../api/call.ts'
import { useMe } from '../../api/me.ts'
import { tenantQuery } from '../../api/tenant.ts'
import { count } from '../../lib/format.ts'
import { Curl } from '../../parts/curl.tsx'
import { FormDialog } from '../../parts/form-dialog.tsx'
import { GatedButton } from '../../parts/gate.tsx'
import { ReasonField } from '../../parts/reason.tsx'
import { Failure } from '../../parts/states.tsx'
import { Outcome } from './outcome.tsx'
import { type UndoChoice, useUndo } from './use-undo.ts'

const NEEDS = { role: 'support', scope: 'customers:write' } as const

interface Props {
  place: Place
  choice: UndoChoice
  /** Names the changes that are undone, such as `this import`. */
  what: string
}

/** The button that opens the dialog. `isShort`: beside a name that says what is undone. */
export function UndoButton({ place, choice, what, isShort = false }: Props & { isShort?: boolean }) {
  const [isOpen, open] = useState(false)
  return (
    <>
      <GatedButton
        needs={NEEDS}
        size="sm"
        icon={ArrowUUpLeftIcon}
        aria-label={`Undo ${what}…`}
        onClick={() => open(true)}
      >
        {isShort ? 'Undo…' : `Undo ${what}…`}
      </GatedButton>
      <FormDialog isOpen={isOpen} onClose={() => open(false)} isSticky>
        <Form place={place} choice={choice} what={what} onClose={() => open(false)} />
      </FormDialog>
    </>
  )
}

function Form({ place, choice, what, onClose }: Props & { onClose: () => void }) {
  const me = useMe()
  const [since, setSince] = useState('')
  const [reason, setReason] = useState('')
  const [typed, setTyped] = useState('')
  const { data: tenant } = useQuery({ ...tenantQuery(place.tenantId), enabled: me.kind === 'operator' })
  const company = me.kind === 'tenant' ? me.name : (tenant?.company_name ?? '')
  const asksSince = choice.since === null
  const from = choice.since ?? (since === '' ? null : new Date(since).toISOString())
  const { state, start, stop, reset, makeCall } = useUndo({ place, choice, since: from, reason })
  const isRunning = state.at === 'running'
  const isLookedAt = state.at === 'ended' && state.isDryRun && state.progress.stopped === null
  const isStopped = state.at === 'ended' && !state.isDryRun && state.progress.stopped !== null
  const reverted = state.at === 'ended' ? state.progress.counts.reverted : 0
  const isUndoable = (isLookedAt && reverted > 0) || isStopped
  const isAsked = !isRunning && !isLookedAt && (state.at === 'asked' || state.isDryRun)
  const isGiven = from !== null && (me.kind === 'tenant' || reason.trim() !== '')
  const isReady = isAsked ? isGiven : isUndoable && company !== '' && typed === company
  return (
    <form
      className="space-y-4"
      onSubmit={(event) => {
        event.preventDefault()
        if (isReady) start(isAsked)
      }}
    >
      <Dialog.Title className="text-lg font-semibold break-words">Undo {what}</Dialog.Title>
      <Dialog.Description className="text-kumo-subtle">
        Each customer becomes what it was before. What was created is archived, what was archived is restored. A
        customer that somebody else has changed since is left alone.
      </Dialog.Description>
      {asksSince && (
        <Input
          label="Since, in your time zone"
          type="datetime-local"
          value={since}
          disabled={isRunning}
          onChange={(event) => {
            setSince(event.target.value)
            reset()
          }}
        />
      )}
      {state.at !== 'ended' || state.isDryRun ? (
        <ReasonField value={reason} onChange={setReason} required={me.kind === 'operator'} />
      ) : null}
      {state.at !== 'asked' && <Outcome state={state} place={place} company={company} />}
      {state.at === 'ended' && <Failure error={state.error} />}
      {isUndoable && (
        <Input
          label="Type the name of the company"
          value={typed}
          autoComplete="off"
          spellCheck={false}
          placeholder={company}
          onChange={(event) => setTyped(event.target.value)}
        />
      )}
      {from !== null && <Curl call={makeCall(from, isAsked)} />}
      <div className="flex justify-end gap-2">
        {isRunning ? (
          <Button type="button" onClick={stop}>
            Stop
          </Button>
        ) : (
          <Button type="button" onClick={onClose}>
            {isAsked || isUndoable ? 'Cancel' : 'Close'}
          </Button>
        )}
        {(isAsked || (isRunning && state.isDryRun)) && (
          <Button type="submit" variant="primary" disabled={!isReady} loading={isRunning}>
            Look first: a dry run
          </Button>
        )}
        {(isUndoable || (isRunning && !state.isDryRun)) && (
          <Button type="submit" variant="destructive" disabled={!isReady} loading={isRunning}>
            {isLookedAt ? `Undo ${count(reverted, 'customer')}` : 'Undo the rest'}
          </Button>
        )}
      </div>
    </form>
  )
}
