/**
 * The frame of screens about all tenants: a tenant that has signed in with its own key is shown why there is nothing.
 */
import { LockIcon } from '@phosphor-icons/react'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useMe } from '../api/me.ts'
import { Page } from './page.tsx'
import { EmptyState } from './states.tsx'

export function OperatorsOnly({ title, children }: { title: string; children: ReactNode }) {
  const me = useMe()
  if (me.kind === 'operator') return children
  return (
    <Page title={title}>
      <EmptyState
        icon={<LockIcon size={40} aria-hidden />}
        title="Not for this key"
        description="This screen is only for operators of this Roster. Your key sees your own tenant."
        contents={
          <Link to="/tenants/$tenantId" params={{ tenantId: me.tenantId }} className="underline">
            Your tenant
          </Link>
        }
      />
    </Page>
  )
}
