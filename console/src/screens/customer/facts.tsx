/**
 * The facts of a customer, in groups. A group that has none is left out.
 */
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { V1Customer } from 'roster/client'
import type { CustomerPlace } from '../../api/customer.ts'
import { fieldLabel } from '../../lib/changes.ts'
import { Breakable } from '../../parts/breakable.tsx'
import { CopyButton, Id } from '../../parts/id.tsx'
import { Section } from '../../parts/page.tsx'
import { Status } from '../../parts/status.tsx'
import { TEXT_LINK } from '../../parts/text-link.ts'
import { Time } from '../../parts/time.tsx'
import { Actor } from './actor.tsx'

const COUNTRIES = new Intl.DisplayNames('en', { type: 'region', fallback: 'code' })

function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="grid grid-cols-[7rem_minmax(0,1fr)] gap-3 py-1.5">
      <dt className="text-kumo-subtle">
        <Breakable text={label} />
      </dt>
      <dd className="min-w-0 wrap-anywhere">{children}</dd>
    </div>
  )
}

/** A value that is copied often. */
function Copied({ value }: { value: string }) {
  if (value === '') return <None />
  return (
    <span className="inline-flex max-w-full items-start gap-1">
      <span className="min-w-0 wrap-anywhere" dir="auto">
        <Breakable text={value} />
      </span>
      <CopyButton value={value} label={`Copy ${value}`} />
    </span>
  )
}

function None() {
  return (
    <span className="text-kumo-subtle">
      <span aria-hidden>–</span>
      <span className="sr-only">none</span>
    </span>
  )
}

export function Facts({ customer }: { customer: V1Customer }) {
  const country = customer.address_country
  const lines = [
    customer.address_line1,
    customer.address_line2,
    [customer.address_postal_code, customer.address_city, customer.address_state]
      .filter((part) => part !== '')
      .join(' '),
  ].filter((line) => line !== '')
  return (
    <Section title="Facts">
      <dl className="-my-1.5">
        <Fact label={fieldLabel('external_id')}>
          <Copied value={customer.external_id} />
        </Fact>
        <Fact label="E-mail">
          <Copied value={customer.email} />
        </Fact>
        <Fact label="Phone">
          <Copied value={customer.contact ?? ''} />
        </Fact>
        <Fact label="Address">
          {lines.length === 0 && country === '' ? (
            <None />
          ) : (
            <address className="not-italic" dir="auto">
              {lines.map((line) => (
                <span key={line} className="block">
                  {line}
                </span>
              ))}
              {country !== '' && <span className="block">{COUNTRIES.of(country)}</span>}
            </address>
          )}
        </Fact>
        <Fact label="Time zone">
          {customer.timezone} <LocalTime timeZone={customer.timezone} />
        </Fact>
        <Fact label="Created">
          <Time at={customer.created_at} /> by <Actor id={customer.created_by} tenantId={customer.tenant_id} />
        </Fact>
        <Fact label="Updated">
          <Time at={customer.updated_at} /> by <Actor id={customer.updated_by} tenantId={customer.tenant_id} />
        </Fact>
      </dl>
    </Section>
  )
}

/** The time where the customer is, so that nobody is called at night. */
function LocalTime({ timeZone }: { timeZone: string }) {
  try {
    const now = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone }).format(new Date())
    return <span className="text-kumo-subtle">({now} there)</span>
  } catch {
    // The zone is newer than this browser.
    return null
  }
}

export function Relatives({ customer, place }: { customer: V1Customer; place: CustomerPlace }) {
  const { parent_customer: parent } = customer
  const children = customer.children ?? []
  const former = customer.old_external_ids ?? []
  if (parent === null && children.length === 0 && former.length === 0) return null
  return (
    <Section title="Belongs together">
      <dl className="-my-1.5">
        {parent && (
          <Fact label="Parent">
            <CustomerLink customer={parent} place={place} />
          </Fact>
        )}
        {children.length > 0 && (
          <Fact label={children.length === 1 ? 'Child' : `${children.length} children`}>
            <ul className="space-y-1">
              {children.map((child) => (
                <li key={child.id}>
                  <CustomerLink customer={child} place={place} />
                </li>
              ))}
            </ul>
          </Fact>
        )}
        {former.length > 0 && (
          <Fact label="Former ids">
            <ul>
              {former.map((id) => (
                <li key={id}>
                  <Id value={id} whole />
                </li>
              ))}
            </ul>
          </Fact>
        )}
      </dl>
    </Section>
  )
}

export function CustomerLink({
  customer: { id, name, external_id, status },
  place: { tenantId, mode },
}: {
  customer: { id: string; name: string; external_id: string; status: string }
  place: CustomerPlace
}) {
  return (
    <span className="inline-flex max-w-full flex-wrap items-center gap-2">
      <Link
        to="/tenants/$tenantId/$mode/customers/$customerId"
        params={{ tenantId, mode, customerId: id }}
        className={TEXT_LINK}
        dir="auto"
      >
        {name || external_id}
      </Link>
      {status !== 'published' && <Status value={status} />}
    </span>
  )
}

export function Integrations({ customer }: { customer: V1Customer }) {
  const integrations = customer.integrations ?? []
  if (integrations.length === 0) return null
  return (
    <Section title="In other systems">
      <dl className="-my-1.5">
        {integrations.map(({ provider, id }) => (
          <Fact key={`${provider} ${id}`} label={provider}>
            <Id value={id} whole />
          </Fact>
        ))}
      </dl>
    </Section>
  )
}

export function Metadata({ customer }: { customer: V1Customer }) {
  const entries = Object.entries(customer.metadata)
  if (entries.length === 0) return null
  return (
    <Section title="Metadata">
      <dl className="-my-1.5">
        {entries.map(([key, value]) => (
          <Fact key={key} label={key}>
            <Copied value={value} />
          </Fact>
        ))}
      </dl>
    </Section>
  )
}
