/** Problems with a request that every HTTP API describes in the same way. */
import type { InputProblem, RequestFailure, VersionedResource } from '../registry/errors.ts'
import type { Unmet } from '../registry/precondition.ts'
import { ACCEPTED_CODINGS } from './content-coding.ts'

type Of<Reason> = Extract<RequestFailure, { reason: Reason }>

/** Returns the problem of a body with a content coding that is not decoded. */
export function codingProblem({ coding }: Of<'coding_not_supported'>): InputProblem {
  const message = `is ${JSON.stringify(coding.slice(0, 100))}, which is not decoded here`
  return { field: 'content-encoding', message, fix: `send one of ${ACCEPTED_CODINGS}, or leave the header out` }
}

/** Returns the problem of a body that is not what its content coding says. */
export function decodingProblem({ coding }: Of<'body_not_decodable'>): InputProblem {
  const message = `cannot be decoded as ${coding}: it is cut off or damaged, or more bytes follow`
  return { field: '', message, fix: 'compress it again as one whole, or send it without content-encoding' }
}

interface Conflict {
  currentVersion: number
  unmet?: Unmet
  resource?: VersionedResource
  field?: string
}

/** Returns the sentence for a change whose condition the resource does not meet. `resource` is the API's word for it. */
export function conflictText({ currentVersion, unmet = 'changed', field }: Conflict, resource: string): string {
  if (field) return `${field} is not the version of its ${resource}, which is ${currentVersion}: read it again`
  switch (unmet) {
    case 'missing':
      return `There is no such ${resource}, and if-match requires one: leave the header out to create it`
    case 'exists':
      return `The ${resource} exists in version ${currentVersion}, which if-none-match excludes: nothing was changed`
    case 'changed':
      return `The ${resource} has changed since it was read: read it again and repeat the change on what it is now`
  }
}
