/**
 * The tenant and mode that the address is about, for what stands around the screens.
 */
import { useRouterState } from '@tanstack/react-router'
import type { Mode } from '../api/call.ts'
import { useMe } from '../api/me.ts'

export interface Here {
  tenantId: string | null
  mode: Mode
}

const IN_PATH = /\/tenants\/([0-9a-f-]{36})(?:\/(live|test))?/

/** Returns the place in the path, or else in the search parameters. A tenant's own place is that of its key. */
export function useHere(): Here {
  const me = useMe()
  const here = useRouterState({
    select: ({ location }) => {
      const [, inPath, mode] = IN_PATH.exec(location.pathname) ?? []
      const search = location.search as { tenant?: string; mode?: string }
      return `${inPath ?? search.tenant ?? ''} ${mode ?? search.mode ?? ''}`
    },
  })
  if (me.kind === 'tenant') return { tenantId: me.tenantId, mode: me.mode }
  const [tenantId, mode] = here.split(' ')
  return { tenantId: tenantId || null, mode: mode === 'test' ? 'test' : 'live' }
}
