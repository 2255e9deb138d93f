/**
 * A second version of the protocol, made from the source as a developer would make it: fields of a request and of a
 * reply have other names, PROTOCOL_VERSION is 2, and STEPS say how the two differ.
 */
import type { Edit } from './mutations.ts'

const STEPS = `{
  lease: {
    requestUp: ({ waiting, ...rest }) => ({ ...rest, queued: waiting }),
    requestDown: ({ queued, ...rest }) => ({ ...rest, waiting: queued }),
    replyUp: (reply) => (reply.grant ? { ...reply, grant: { permits: reply.grant.permits, livesMs: reply.grant.ttlMs } } : reply),
    replyDown: (reply) => (reply.grant ? { ...reply, grant: { permits: reply.grant.permits, ttlMs: reply.grant.livesMs } } : reply),
  },
  write: {
    requestUp: ({ reason, ...rest }) => ({ ...rest, why: reason }),
    requestDown: ({ why, ...rest }) => ({ ...rest, reason: why }),
    replyUp: ({ actor, ...rest }) => ({ ...rest, author: actor }),
    replyDown: ({ author, ...rest }) => ({ ...rest, actor: author }),
  },
}`

export const VERSION_TWO: readonly Edit[] = [
  { file: 'leases.ts', find: 'export const PROTOCOL_VERSION = 1', replace: 'export const PROTOCOL_VERSION = 2' },
  {
    file: 'versions.ts',
    find: 'const STEPS: Partial<Record<Kind, Partial<Record<Step, Translate>>>> = {}',
    replace: `const STEPS: any = ${STEPS}`,
  },
  {
    file: 'lease-exchange.ts',
    find: '    waiting: waiting + state.owed,',
    replace: '    queued: waiting + state.owed,',
  },
  {
    file: 'lease-exchange.ts',
    find: '{ permits, ttlMs } = lease.grant',
    replace: '{ permits, livesMs: ttlMs } = lease.grant',
  },
  {
    file: 'gate-core.ts',
    find: 'this.#sizing.size(request, ',
    replace: 'this.#sizing.size({ ...request, waiting: request.queued }, ',
  },
  { file: 'gate-core.ts', find: 'size.permits, request.waiting)', replace: 'size.permits, request.queued)' },
  { file: 'gate-core.ts', find: 'ttlMs: size.ttlMs }', replace: 'livesMs: size.ttlMs }' },
]

/** The same by a developer who has forgotten that version 1 is still deployed. */
export const VERSION_TWO_ALONE: readonly Edit[] = [
  ...VERSION_TWO,
  { file: 'leases.ts', find: 'export const OLDEST_VERSION = 1', replace: 'export const OLDEST_VERSION = 2' },
]
