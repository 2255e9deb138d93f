/**
 * Shows what a merge has done, with the way to the customer that stayed.
 */
import { CheckCircleIcon } from '@phosphor-icons/react'
import { Link } from '@tanstack/react-router'
import type { CustomerPlace } from '../../api/customer.ts'
import type { Change } from '../../lib/changes.ts'
import { Diff } from '../../parts/diff.tsx'
import { Page, Section } from '../../parts/page.tsx'
import { TEXT_LINK } from '../../parts/text-link.ts'

/** A merge that was made. */
export interface Done {
  name: string
  survivorId: string
  survivorName: string
  changes: readonly Change[]
  moves: readonly string[]
}

export function Result({ place, done }: { place: CustomerPlace; done: Done }) {
  const { name, survivorId, survivorName, changes, moves } = done
  return (
    <Page title={`${name} is merged`} narrow>
      <Section title={`What ${survivorName} got`}>
        <div className="space-y-4">
          <p role="status" className="flex items-start gap-3">
            <CheckCircleIcon size={24} weight="fill" className="shrink-0 text-kumo-success" aria-hidden />
            <span className="min-w-0">
              Every id of {name} leads to{' '}
              <Link
                to="/tenants/$tenantId/$mode/customers/$customerId"
                params={{ ...place, customerId: survivorId }}
                className={TEXT_LINK}
              >
                {survivorName}
              </Link>{' '}
              now.
            </span>
          </p>
          {changes.length > 0 && <Diff changes={changes} label="Values that it got" />}
          {moves.length > 0 && (
            <ul className="list-disc space-y-1 pl-5">
              {moves.map((move) => (
                <li key={move} className="wrap-anywhere">
                  {move}
                </li>
              ))}
            </ul>
          )}
        </div>
      </Section>
    </Page>
  )
}
