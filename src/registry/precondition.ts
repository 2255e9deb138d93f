/**
 * The conditions under which a caller wants a change to be made: which state of the resource it must meet. The store
 * that makes the change checks them in the same transaction. Pure.
 */

/** Conditions that must all hold. Absent ones hold always. */
export interface Precondition {
  /** True: the resource must exist. False: it must not exist. */
  exists?: boolean
  /** The resource must exist in one of these versions. Empty: no version is good enough. */
  versions?: readonly number[]
  /** The resource must not be in one of these versions. */
  notVersions?: readonly number[]
  /** The resource must not have changed since this time. */
  unmodifiedSinceMs?: number
}

/** The state of a resource that a condition is about. */
export interface VersionedState {
  version: number
  updatedAtMs: number
}

/**
 * Why a change was not made: the resource does not exist, it exists in a state that the caller excluded, or it changed
 * since the caller read it.
 */
export type Unmet = 'missing' | 'exists' | 'changed'

/** Returns why the precondition does not hold for the resource, which is null if it does not exist. Null: it holds. */
export function unmetBy(precondition: Precondition | null, now: VersionedState | null): Unmet | null {
  if (!precondition) return null
  const { exists, versions, notVersions, unmodifiedSinceMs } = precondition
  if (!now) return exists || versions ? 'missing' : null
  if (exists === false || notVersions?.includes(now.version)) return 'exists'
  if (versions && !versions.includes(now.version)) return 'changed'
  return unmodifiedSinceMs !== undefined && now.updatedAtMs > unmodifiedSinceMs ? 'changed' : null
}

/** The precondition as a command carries it to the gate. */
export interface Conditional {
  /** The one version that the change may be made on. Null for any, and `NO_VERSION` if `condition` says more. */
  ifVersion: number | null
  condition?: Precondition
}

/**
 * A version that no customer has. A gate that runs older code does not know `condition`, and this makes it refuse the
 * change instead of making it on any version.
 */
const NO_VERSION = -1

export function conditional(precondition: Precondition | null): Conditional {
  if (!precondition) return { ifVersion: null }
  const { versions = [], ...others } = precondition
  const [version] = versions
  if (version !== undefined && versions.length === 1 && Object.keys(others).length === 0) return { ifVersion: version }
  return { ifVersion: NO_VERSION, condition: precondition }
}

export function preconditionOf({ ifVersion, condition }: Conditional): Precondition | null {
  if (condition) return condition
  return ifVersion === null ? null : { versions: [ifVersion] }
}
