/**
 * The page of an id whose customer was merged into another one: it says so, leads there, keeps the log of before, and takes the
 * merge back.
 */
import { Banner } from '@cloudflare/kumo/components/banner'
import { ArrowCounterClockwiseIcon, GitMergeIcon } from '@phosphor-icons/react'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import type { V1Customer } from 'roster/client'
import type { CustomerPlace } from '../../api/customer.ts'
import { GatedButton } from '../../parts/gate.tsx'
import { Id } from '../../parts/id.tsx'
import { Page } from '../../parts/page.tsx'
import { Status } from '../../parts/status.tsx'
import { TEXT_LINK } from '../../parts/text-link.ts'
import { CHANGE } from './actions.tsx'
import { Timeline } from './timeline.tsx'
import { Unmerge } from './unmerge.tsx'

export function Merged({ place, survivor }: { place: CustomerPlace; survivor: V1Customer }) {
  const [isTakingBack, takeBack] = useState(false)
  return (
    <Page
      title="Merged customer"
      beside={<Status value="merged" />}
      below={<Id value={place.customerId} />}
      actions={
        <GatedButton needs={CHANGE} icon={ArrowCounterClockwiseIcon} onClick={() => takeBack(true)}>
          Take the merge back…
        </GatedButton>
      }
    >
      <Banner
        className="mb-4"
        icon={<GitMergeIcon weight="fill" />}
        title="Now a part of another customer"
        description={
          <span>
            It was merged into{' '}
            <Link
              to="/tenants/$tenantId/$mode/customers/$customerId"
              params={{ ...place, customerId: survivor.id }}
              className={TEXT_LINK}
              dir="auto"
            >
              {survivor.name || survivor.external_id}
            </Link>
            , which all its ids lead to. What is below happened to it before.
          </span>
        }
      />
      <Timeline place={place} isMerged />
      {isTakingBack && <Unmerge place={place} survivor={survivor} onClose={() => takeBack(false)} />}
    </Page>
  )
}
