/**
 * An operator's requests that may be sent again: whoever repeats gets the answer of the first once what it says is in force,
 * because the first may have died on the way there.
 */
import { type Keep, onceOnly, type Repeatable } from '../registry/once.ts'
import { bringInForce } from './in-force.ts'
import type { TenantDeps } from './ports.ts'

/** Makes a change, or answers what it made when it was asked for the first time. */
export function once<Made>(
  deps: TenantDeps,
  repeatable: Repeatable | null,
  change: (keep: Keep<Made>) => Promise<Made>,
): Promise<Made> {
  const { store, clock } = deps
  return onceOnly(
    {
      store,
      clock,
      async beforeReplay({ tenantId }) {
        const tenant = tenantId === null ? null : await store.get(tenantId)
        if (tenant) await bringInForce(deps, tenant)
      },
    },
    repeatable,
    change,
  )
}
