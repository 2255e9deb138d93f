/**
 * The form, the diff before it is saved, and the way out of a conflict.
 */
import { Banner } from '@cloudflare/kumo/components/banner'
import { Button } from '@cloudflare/kumo/components/button'
import { useKumoToastManager } from '@cloudflare/kumo/components/toast'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { call } from '../../api/call.ts'
import { type CustomerPlace, versionQuery } from '../../api/customer.ts'
import { placeFor, useMe } from '../../api/me.ts'
import { ApiError, send } from '../../api/send.ts'
import { changesBetween, patchOf, type Values, valuesOf } from '../../lib/edit.ts'
import { count } from '../../lib/format.ts'
import { Curl } from '../../parts/curl.tsx'
import { Diff } from '../../parts/diff.tsx'
import { fieldError } from '../../parts/field-error.ts'
import { useMissing } from '../../parts/gate.tsx'
import { Section } from '../../parts/page.tsx'
import { ReasonField } from '../../parts/reason.tsx'
import { Failure } from '../../parts/states.tsx'
import { Conflicts } from './conflicts.tsx'
import { type Draft, dropDraft, keepDraft } from './draft.ts'
import { FIELDS_SHOWN, Fields } from './fields.tsx'

interface Theirs {
  values: Values
  etag: string | null
  updatedBy: string
  updatedAt: string
}

export function Form({ place, start, isDraft }: { place: CustomerPlace; start: Draft; isDraft: boolean }) {
  const { customerId } = place
  const me = useMe()
  const navigate = useNavigate()
  const queries = useQueryClient()
  const toasts = useKumoToastManager()
  const [draft, setDraft] = useState(start)
  const [theirs, setTheirs] = useState<Theirs | null>(null)
  const { base, etag, mine, reason } = draft
  const changes = changesBetween(base, mine)
  const isTouched = changes.length > 0
  const notAllowed = useMissing({ role: 'support', scope: 'customers:write' })
  useEffect(() => {
    if (isTouched) keepDraft(customerId, draft)
    else dropDraft(customerId)
  }, [customerId, draft, isTouched])
  const back = () => navigate({ to: '/tenants/$tenantId/$mode/customers/$customerId', params: place })
  const makeCall = () =>
    call('PATCH', '/v1/customers/:id', {
      param: { id: customerId },
      body: patchOf(changes),
      ...(reason.trim() !== '' && { reason: reason.trim() }),
      ...(etag !== null && { ifMatch: etag }),
      ...placeFor(me, place),
    })
  const save = useMutation({
    mutationFn: () => send(makeCall()),
    onSuccess: async () => {
      dropDraft(customerId)
      toasts.add({ title: `Saved ${count(changes.length, 'change')}`, variant: 'success' })
      await queries.invalidateQueries({ queryKey: ['customer', place.tenantId, place.mode, customerId] })
      await queries.invalidateQueries({ queryKey: ['audit'] })
      back()
    },
    onError: async (error) => {
      if (!(error instanceof ApiError && error.status === 412)) return
      const { customer, etag: current } = await queries.fetchQuery({ ...versionQuery(me, place), staleTime: 0 })
      setTheirs({
        values: valuesOf(customer),
        etag: current,
        updatedBy: customer.updated_by,
        updatedAt: customer.updated_at,
      })
    },
  })
  // Lets the reader go on where something is wrong.
  useEffect(() => {
    if (save.error) document.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus()
  }, [save.error])
  const failure = save.error instanceof ApiError && save.error.status === 412 ? null : save.error
  const needsReason = me.kind === 'operator'
  const isReady = isTouched && theirs === null && notAllowed === null && (!needsReason || reason.trim() !== '')
  const errorOf = (field: string) => fieldError(failure, field)
  return (
    <form
      className="space-y-5"
      onSubmit={(event) => {
        event.preventDefault()
        if (isReady && !save.isPending) save.mutate()
      }}
    >
      {isDraft && isTouched && (
        <Banner
          title="Your edit from before is still here"
          description="It was kept in this tab."
          action={
            <Banner.Action onClick={() => setDraft({ ...draft, mine: base, reason: '' })}>Start again</Banner.Action>
          }
        />
      )}
      {notAllowed !== null && <Banner variant="alert" title="You may look, not change" description={notAllowed} />}
      <Fields values={mine} place={place} errorOf={errorOf} onChange={(next) => setDraft({ ...draft, mine: next })} />
      {theirs && (
        <Conflicts
          base={base}
          mine={mine}
          theirs={theirs.values}
          updatedBy={theirs.updatedBy}
          updatedAt={theirs.updatedAt}
          tenantId={place.tenantId}
          onResolved={(next) => {
            setDraft({ ...draft, base: theirs.values, etag: theirs.etag, mine: next })
            setTheirs(null)
            save.reset()
          }}
        />
      )}
      <Section title={isTouched ? `${count(changes.length, 'change')} to save` : 'Nothing has changed yet'}>
        <div className="space-y-4">
          {isTouched && <Diff changes={changes} label="Changes to save" />}
          <ReasonField
            value={reason}
            required={needsReason}
            error={errorOf('x-reason')}
            onChange={(next) => setDraft({ ...draft, reason: next })}
          />
          <Failure error={failure} shownFields={[...FIELDS_SHOWN, 'x-reason']} />
          {isTouched && <Curl call={makeCall()} />}
          <div className="flex justify-end gap-2">
            <Button
              type="button"
              onClick={() => {
                dropDraft(customerId)
                back()
              }}
            >
              {isTouched ? 'Discard' : 'Back'}
            </Button>
            <Button type="submit" variant="primary" disabled={!isReady} loading={save.isPending}>
              Save
            </Button>
          </div>
        </div>
      </Section>
    </form>
  )
}
