/**
 * Somebody was faster: their version beside mine, and a choice for each field that both have changed.
 */
import { Button } from '@cloudflare/kumo/components/button'
import { useEffect, useRef, useState } from 'react'
import { fieldLabel, shownValue } from '../../lib/changes.ts'
import { changesBetween, conflictsOf, rebased, type Values } from '../../lib/edit.ts'
import { Section } from '../../parts/page.tsx'
import { Time } from '../../parts/time.tsx'
import { Actor } from '../customer/actor.tsx'

interface Props {
  base: Values
  mine: Values
  theirs: Values
  updatedBy: string
  updatedAt: string
  tenantId: string
  onResolved: (mine: Values) => void
}

export function Conflicts({ base, mine, theirs, updatedBy, updatedAt, tenantId, onResolved }: Props) {
  const [keepTheirs, setKeepTheirs] = useState<ReadonlySet<string>>(new Set())
  const top = useRef<HTMLDivElement>(null)
  useEffect(() => top.current?.focus(), [])
  const conflicts = new Set(conflictsOf(base, theirs, mine).map(({ field }) => field))
  const mineByField = new Map(changesBetween(base, mine).map((change) => [change.field, change.after]))
  const theirsByField = new Map(changesBetween(base, theirs).map((change) => [change.field, change.after]))
  const baseByField = new Map(
    [...changesBetween(base, mine), ...changesBetween(base, theirs)].map((change) => [change.field, change.before]),
  )
  const choose = (field: string, isTheirs: boolean) => {
    const next = new Set(keepTheirs)
    if (isTheirs) next.add(field)
    else next.delete(field)
    setKeepTheirs(next)
  }
  return (
    <div ref={top} tabIndex={-1} role="alert" className="outline-none!">
      <Section title="Somebody else has changed this customer meanwhile">
        <p className="mb-3">
          By <Actor id={updatedBy} tenantId={tenantId} />, <Time at={updatedAt} />.{' '}
          {conflicts.size === 0
            ? 'They changed other fields than you: yours go on top of theirs.'
            : 'Choose for each field that both of you have changed.'}
        </p>
        <div className="overflow-x-auto">
          <table className="w-full text-left">
            <thead className="text-sm text-kumo-subtle">
              <tr>
                {['Field', 'Before', 'Theirs', 'Yours'].map((title) => (
                  <th key={title} scope="col" className="py-1.5 pr-4 font-medium">
                    {title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody className="divide-y divide-kumo-hairline">
              {[...baseByField].map(([field, before]) => (
                <tr key={field} className="align-top">
                  <th scope="row" className="py-2 pr-4 font-normal">
                    {fieldLabel(field)}
                  </th>
                  <td className="py-2 pr-4 wrap-anywhere text-kumo-subtle">{shownValue(before)}</td>
                  <td className="py-2 pr-4">
                    <Side
                      name={field}
                      isConflict={conflicts.has(field)}
                      value={theirsByField.get(field)}
                      isChanged={theirsByField.has(field)}
                      isChosen={keepTheirs.has(field)}
                      onChoose={() => choose(field, true)}
                    />
                  </td>
                  <td className="py-2">
                    <Side
                      name={field}
                      isConflict={conflicts.has(field)}
                      value={mineByField.get(field)}
                      isChanged={mineByField.has(field)}
                      isChosen={!keepTheirs.has(field)}
                      onChoose={() => choose(field, false)}
                    />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        <div className="mt-4 flex flex-wrap justify-end gap-2">
          <Button type="button" onClick={() => onResolved(theirs)}>
            Take theirs, drop mine
          </Button>
          <Button type="button" variant="primary" onClick={() => onResolved(rebased(base, theirs, mine, keepTheirs))}>
            Continue with this
          </Button>
        </div>
      </Section>
    </div>
  )
}

function Side({
  name,
  isConflict,
  value,
  isChanged,
  isChosen,
  onChoose,
}: {
  name: string
  isConflict: boolean
  value: unknown
  isChanged: boolean
  isChosen: boolean
  onChoose: () => void
}) {
  if (!isChanged) return <span className="text-kumo-subtle">unchanged</span>
  const text = (
    <span className="wrap-anywhere" dir="auto">
      {shownValue(value)}
    </span>
  )
  if (!isConflict) return text
  return (
    <label className="flex cursor-pointer items-start gap-2">
      <input type="radio" className="mt-1" name={`choice ${name}`} checked={isChosen} onChange={onChoose} />
      {text}
    </label>
  )
}
