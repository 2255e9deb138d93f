/**
 * Both customers of a merge: the one that goes and the one that stays.
 */
import { ArrowRightIcon } from '@phosphor-icons/react'
import type { V1Customer } from 'roster/client'
import type { CustomerPlace } from '../../api/customer.ts'
import { Id } from '../../parts/id.tsx'
import { CustomerLink } from '../customer/facts.tsx'

export function Sides({ source, survivor, place }: { source: V1Customer; survivor: V1Customer; place: CustomerPlace }) {
  return (
    <div className="grid items-center gap-3 sm:grid-cols-[minmax(0,1fr)_auto_minmax(0,1fr)]">
      <Side label="Goes" customer={source} place={place} />
      <ArrowRightIcon size={24} className="text-kumo-subtle max-sm:rotate-90" aria-label="into" />
      <Side label="Stays" customer={survivor} place={place} />
    </div>
  )
}

function Side({ label, customer, place }: { label: string; customer: V1Customer; place: CustomerPlace }) {
  return (
    <div className="min-w-0 rounded-lg bg-kumo-recessed p-3">
      <p className="text-sm text-kumo-subtle">{label}</p>
      <CustomerLink customer={customer} place={place} />
      {[customer.email, customer.external_id].map(
        (each) =>
          each !== '' && (
            <p key={each} className="wrap-anywhere text-kumo-subtle" dir="auto">
              {each}
            </p>
          ),
      )}
      <Id value={customer.id} className="text-sm text-kumo-subtle" />
    </div>
  )
}
