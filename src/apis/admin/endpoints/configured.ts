/**
 * Shows operators a tenant's configuration: its webhook endpoints, which they may disable and delete, and its
 * onboarding. Works for tenants of any status, in both modes.
 */
import { toShownEndpoint } from '../../../events/endpoint-format.ts'
import { deleteEndpoint, getEndpoint, listEndpoints, updateEndpoint } from '../../../events/endpoints.ts'
import type { Endpoint, EndpointDeps } from '../../../events/ports.ts'
import type { StoredSettings } from '../../../onboarding/ports.ts'
import { toShownSettings } from '../../../onboarding/settings-format.ts'
import type { Mode } from '../../../registry/customer.ts'
import { notFound, RegistryError } from '../../../registry/errors.ts'
import type { Precondition } from '../../../registry/precondition.ts'

/** The ports of one tenant, for each mode. */
export type DepsOf = (mode: Mode) => EndpointDeps

/** An endpoint with the mode it belongs to. */
export interface OfMode {
  mode: Mode
  endpoint: Endpoint
}

const MODES: readonly Mode[] = ['live', 'test']

export async function endpointsOf(depsOf: DepsOf): Promise<OfMode[]> {
  const all = await Promise.all(
    MODES.map(async (mode) => (await listEndpoints(depsOf(mode))).map((endpoint) => ({ mode, endpoint }))),
  )
  return all.flat()
}

/** Finds the endpoint in either mode. Throws `RegistryError` with `not_found`. */
export async function endpointOf(depsOf: DepsOf, id: string): Promise<OfMode> {
  for (const mode of MODES) {
    try {
      return { mode, endpoint: await getEndpoint(depsOf(mode), id) }
    } catch (error) {
      if (!(error instanceof RegistryError) || error.failure.reason !== 'not_found') throw error
    }
  }
  throw notFound('endpoint')
}

export async function switchEndpoint(
  depsOf: DepsOf,
  id: string,
  enabled: boolean,
  nowMs: number,
  precondition: Precondition | null,
): Promise<OfMode> {
  const { mode } = await endpointOf(depsOf, id)
  return { mode, endpoint: await updateEndpoint(depsOf(mode), id, { enabled }, nowMs, precondition) }
}

/** Returns the endpoint as it was. */
export async function removeEndpoint(depsOf: DepsOf, id: string, precondition: Precondition | null): Promise<OfMode> {
  const found = await endpointOf(depsOf, id)
  await deleteEndpoint(depsOf(found.mode), id, precondition)
  return found
}

export function toAdminEndpoint({ mode, endpoint }: OfMode) {
  return { ...toShownEndpoint(endpoint), mode }
}

export function toAdminOnboarding(live: StoredSettings, test: StoredSettings) {
  return { live: toShownSettings(live), test: toShownSettings(test) }
}
