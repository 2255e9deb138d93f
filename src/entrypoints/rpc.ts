/**
 * The RPC API for Workers of the same account: `Customers`, bound with `services` in their wrangler.toml. The props of
 * the binding identify the caller, so there is no key. A call costs permits as in every API. Every result is data,
 * `{ok: true, …}` or `{ok: false, failure}`. A method throws only if the props are wrong, because the caller's code
 * cannot handle that.
 */
import { WorkerEntrypoint } from 'cloudflare:workers'
import type { z } from 'zod'
import {
  type CallOptions,
  type ChangeOptions,
  type CreateOptions,
  type CustomerQuery,
  callOptions,
  changeOptions,
  createOptions,
  customerQuery,
  type MergeOptions,
  mergeOptions,
  type ReadInput,
  type ReadOptions,
  type RestoreOptions,
  type RevertOptions,
  type RevertTo,
  readOptions,
  restoreOptions,
  revertOptions,
  revertTo,
  type UndoOptions,
  type UndoWhat,
  type UnmergeOptions,
  undoOptions,
  undoWhat,
  unmergeOptions,
} from '../apis/rpc/call-schema.ts'
import { toErrorResponse } from '../apis/rpc/errors.ts'
import {
  lastIdOf,
  momentOf,
  onboardingOf,
  parentFieldOf,
  toChanges,
  toKept,
  toListQuery,
  toMoved,
  toNewCustomer,
  toRpc,
  toTarget,
} from '../apis/rpc/mapping.ts'
import type {
  Changed,
  Failed,
  Found,
  FoundOrCreated,
  Listed,
  Merged,
  Reverted,
  Suspected,
  Undone,
  Unmerged,
} from '../apis/rpc/results.ts'
import {
  anyText,
  type BindingProps,
  bindingProps,
  type CustomerTarget,
  type CustomerUpdate,
  customerTarget,
  customerUpdate,
  type FieldsInput,
  type NewCustomer,
  newCustomer,
} from '../apis/rpc/schema.ts'
import { services } from '../composition/services.ts'
import { pageCursor } from '../http/cursor.ts'
import { logRefusal } from '../http/refusal-log.ts'
import { requestIdOf } from '../http/request-id.ts'
import type { RequestRegistry } from '../http/services.ts'
import type { Customer as RegistryCustomer, Scope } from '../registry/customer.ts'
import { type Failure, invalidInput, isStorageUsedUp, notFound, RegistryError } from '../registry/errors.ts'
import {
  archiveCustomer,
  createCustomer,
  findDuplicates,
  getCustomer,
  getCustomerByExternalId,
  getPastCustomer,
  listCustomers,
  mergeCustomer,
  restoreCustomer,
  revertCustomer,
  unmergeCustomer,
  updateCustomer,
} from '../registry/operations.ts'
import type { Moment, PastTarget } from '../registry/past.ts'
import type { Snapshot, Written } from '../registry/ports.ts'
import type { Precondition } from '../registry/precondition.ts'
import { utf8 } from '../shared/bytes.ts'
import { isId } from '../shared/ids.ts'
import { describeError, log } from '../shared/log.ts'
import { isExternalId } from '../validation/external-id.ts'
import { problemsOf, WITH_INPUT } from '../validation/problems.ts'
import { unstorableString } from '../validation/storable-text.ts'

/** Ids of tenants that exist. The set needs no bound: bindings name few tenants, and no tenant is ever removed. */
const tenantsSeen = new Set<string>()

/** Options of any method, as their schemas parse them. */
type Options = MergeOptions &
  CreateOptions &
  Pick<RevertOptions, 'partial'> &
  Pick<UndoOptions, 'dryRun' | 'next'> &
  Pick<ReadInput, 'asOf' | 'version'> & { changes?: FieldsInput | undefined }

export class Customers extends WorkerEntrypoint<Cloudflare.Env, BindingProps> {
  /** Creates a customer. The failure `external_id_taken` names the customer that has the external id. */
  create(fields: NewCustomer, options?: CreateOptions): Promise<Changed> {
    return this.#serve('create', createOptions, options, async (registry, given) => {
      const input = argument('fields', newCustomer, fields)
      return changed(await named(input, create(registry, input, 'fail', given)))
    })
  }

  /** Returns the customer with this id, even if it is archived: as it is, or as it was with `asOf` or `version`. */
  get(id: string, options?: ReadOptions): Promise<Found> {
    return this.#serve('get', readOptions, options, async (registry, given) => {
      const target = { id: customerId(argument('id', anyText, id)) }
      return { customer: toRpc(await read(registry, target, given, () => getCustomer(registry, target.id))) }
    })
  }

  /**
   * Returns the customer that has this external id, or the one that had it before if no other took it. Does not find
   * archived customers. With `asOf`, the customer that had it then. With `version`, a version of the one that has it now.
   */
  getByExternalId(externalId: string, options?: ReadOptions): Promise<Found> {
    return this.#serve('getByExternalId', readOptions, options, async (registry, given) => {
      const target = { externalId: externalIdOf(argument('externalId', anyText, externalId)) }
      const readNow = () => getCustomerByExternalId(registry, target.externalId)
      return { customer: toRpc(await read(registry, target, given, readNow)) }
    })
  }

  /**
   * Returns the customer with this external id unchanged, or creates it. Concurrent calls create one customer between
   * them.
   */
  getOrCreate(fields: NewCustomer, options?: CreateOptions): Promise<FoundOrCreated> {
    return this.#serve('getOrCreate', createOptions, options, async (registry, given) => {
      const input = argument('fields', newCustomer, fields)
      const written = await named(input, create(registry, input, 'return', given))
      return { ...changed(written), created: written.effect === 'created' }
    })
  }

  /** Changes only the fields that `changes` names. */
  update(target: CustomerTarget, changes: CustomerUpdate, options?: ChangeOptions): Promise<Changed> {
    return this.#serve('update', changeOptions, options, async (registry, { ifVersion }) => {
      const input = argument('changes', customerUpdate, changes)
      return changed(await named(input, updateCustomer(registry, targetOf(target), toChanges(input), ifOn(ifVersion))))
    })
  }

  /** Archives the customer, which frees its external id. */
  archive(target: CustomerTarget, options?: ChangeOptions): Promise<Changed> {
    return this.#serve('archive', changeOptions, options, async (registry, { ifVersion }) =>
      changed(await archiveCustomer(registry, targetOf(target), ifOn(ifVersion))),
    )
  }

  /**
   * Restores an archived customer and applies `changes` in the same step: another external id if another customer has
   * taken its own, `parentId: null` if its parent is archived.
   */
  restore(id: string, options?: RestoreOptions): Promise<Changed> {
    return this.#serve('restore', restoreOptions, options, async (registry, { ifVersion, changes = {} }) => {
      const target = { id: customerId(argument('id', anyText, id)) }
      return changed(await named(changes, restoreCustomer(registry, target, toChanges(changes), ifOn(ifVersion))))
    })
  }

  /**
   * Merges the customer, the source, into the one with the id `into`, the survivor. From then on every id of the source
   * leads to the survivor.
   */
  merge(source: CustomerTarget, into: string, options?: MergeOptions): Promise<Merged> {
    return this.#serve('merge', mergeOptions, options, async (registry, given) => {
      const { ifVersion, intoVersion = null, prefer = 'target', dryRun = false } = given
      const merge = { into: argument('into', anyText, into), intoVersion, prefer, dryRun }
      const merged = await mergeCustomer(registry, targetOf(source), merge, ifOn(ifVersion))
      const { customer, consistencyToken } = changed(merged)
      return {
        customer,
        sourceId: merged.merge.sourceId,
        moved: merged.isCut ? null : toMoved(merged.merge),
        consistencyToken: dryRun ? null : consistencyToken,
      }
    })
  }

  /**
   * Takes back the merge of the customer with the id `source` into the customer, the survivor. The source is itself again, and
   * the survivor loses what it got and nobody has changed since; `kept` names the rest.
   */
  unmerge(survivor: CustomerTarget, source: string, options?: UnmergeOptions): Promise<Unmerged> {
    return this.#serve('unmerge', unmergeOptions, options, async (registry, { ifVersion, dryRun = false }) => {
      const unmerge = { source: argument('source', anyText, source), dryRun }
      const done = await unmergeCustomer(registry, targetOf(survivor), unmerge, ifOn(ifVersion))
      const { report, source: again } = done.unmerged
      const { customer, consistencyToken } = changed(done)
      return {
        customer,
        source: changed({ ...done, customer: again } as Written).customer,
        moved: done.isCut ? null : toMoved(report),
        kept: done.isCut ? null : toKept(report),
        consistencyToken: dryRun ? null : consistencyToken,
      }
    })
  }

  /** Returns the customers that may be the same as this one, best first. */
  duplicates(id: string, options?: CallOptions): Promise<Suspected> {
    return this.#serve('duplicates', callOptions, options, async (registry) => {
      const found = await findDuplicates(registry, customerId(argument('id', anyText, id)))
      return { duplicates: found.map(({ customer, reasons }) => ({ customer: toRpc(customer), reasons })) }
    })
  }

  /**
   * Makes the customer what it was at a moment: its fields, parent, integrations and status. The failure `revert_conflict`
   * names what is not to be had any more; with `partial`, the rest is reverted, and `left` names those fields.
   */
  revert(id: string, to: RevertTo, options?: RevertOptions): Promise<Reverted> {
    return this.#serve('revert', revertOptions, options, async (registry, { ifVersion, partial = false }) => {
      const moment = momentOf(argument('to', revertTo, to)) as Moment
      const target = customerId(argument('id', anyText, id))
      const written = await revertCustomer(registry, target, moment, { partial, precondition: ifOn(ifVersion) })
      return { ...changed(written), left: written.left ?? [] }
    })
  }

  /**
   * Undoes some of the changes of somebody or some import, newest first: each customer becomes what it was before the first of
   * them. Call it again with `next` and `requestId: undoId` until `next` is null. A customer that somebody else changed later is
   * a conflict, and stays as it is.
   */
  undo(what: UndoWhat, options?: UndoOptions): Promise<Undone> {
    return this.#serve('undo', undoOptions, options, async (registry, { dryRun = false, next = null }, undoId) => {
      const { actor = null, requestId = null, since: sinceMs, until: untilMs = null } = argument('what', undoWhat, what)
      const selection = { actor, requestId, sinceMs, untilMs }
      const chunk = await registry.writer.undoChunk({ selection, beforeId: next, dryRun })
      const { outcomes, nextBeforeId, consistencyToken } = chunk
      return { outcomes, next: nextBeforeId, undoId, consistencyToken }
    })
  }

  /** Returns a page of customers. The next page begins at `nextCursor`. */
  list(query?: CustomerQuery, options?: CallOptions): Promise<Listed> {
    return this.#serve('list', callOptions, options, async (registry) => {
      const input = argument('query', customerQuery, query ?? {})
      const { signingSecrets } = services.bindings(this.env)
      const { tenantId, mode } = registry.scope
      const list = { path: 'rpc list', scope: `${tenantId} ${mode}`, query: input }
      const cursor = await pageCursor(signingSecrets, list, input.cursor)
      const page = await listCustomers(registry, toListQuery(input, cursor.position), { total: false })
      const listed = { customers: page.customers.map(toRpc), nextCursor: await cursor.next(lastIdOf(page)) }
      registry.admission.charge({ bytes: utf8(JSON.stringify(listed)).length })
      return listed
    })
  }

  /** Runs the method `route` for the caller that the props name, and converts errors to data. */
  async #serve<Success extends object>(
    route: string,
    schema: z.ZodType<Options>,
    given: unknown,
    work: (registry: RequestRegistry, options: Options, requestId: string) => Promise<Success>,
  ): Promise<({ ok: true } & Success) | Failed> {
    const { caller: name, scopes, ...scope } = readProps(this.ctx.props)
    const options = schema.safeParse(given ?? {})
    const { consistencyToken = null, reason = null, requestId = null } = options.data ?? {}
    const startedAtMs = services.clock()
    const request = { requestId: requestIdOf(requestId), consistencyToken, reason, strongConsistency: false }
    const registry = services.registryForBound(this.env, this.ctx, { ...scope, name, scopes }, request)
    const count = (status: number) => {
      const { scope, facts, io } = registry
      const label = { api: 'rpc', route }
      services.count(
        { env: this.env, executionCtx: this.ctx },
        { scope, label, status, source: facts.source, startedAtMs, io },
      )
    }
    try {
      const done = await work(registry, argument('options', schema, given ?? {}), request.requestId)
      count(200)
      return { ok: true, ...done }
    } catch (error) {
      const failure = await this.#failureOf(error, registry, request.requestId)
      const mayBeNoTenant = ['unavailable', 'tenant_suspended', 'rate_limited'].includes(failure.reason)
      if (mayBeNoTenant && (await this.#isNoTenant(scope))) {
        throw boundWrongly(['props.tenantId names no tenant: send a customer_id of /admin/customers'])
      }
      const at = { env: this.env, executionCtx: this.ctx }
      if (isOurs(failure)) services.countError(at, { api: 'rpc', status: 500, scope: registry.scope })
      count(isOurs(failure) ? 500 : 400)
      return { ok: false, failure: toErrorResponse(failure) }
    }
  }

  /** Returns true if D1 has no such tenant, whose gate admits no caller. Returns false if D1 does not respond. */
  async #isNoTenant({ tenantId }: Scope): Promise<boolean> {
    if (tenantsSeen.has(tenantId)) return false
    const exists = await services.tenantExists(this.env, tenantId).catch(() => null)
    if (exists) tenantsSeen.add(tenantId)
    return exists === false
  }

  /**
   * Returns the failure for an error, and logs it. As in the HTTP APIs, bad input costs a permit, and only an admitted
   * caller gets the details of the problem.
   */
  async #failureOf(error: unknown, registry: RequestRegistry, requestId: string): Promise<Failure> {
    const found: Failure = error instanceof RegistryError ? error.failure : { reason: 'internal' }
    const line = { requestId, api: 'rpc', ...registry.scope }
    // A RegistryError was logged where it was found, with the reason.
    if (!(error instanceof RegistryError)) log('error', { event: 'failed', error: describeError(error), ...line })
    const failure = (await registry.admission.refusal()) ?? found
    if (failure.reason !== 'not_found') {
      const level = isOurs(failure) ? 'error' : 'info'
      logRefusal(level, { event: 'refused', reason: failure.reason, ...line }, services.clock())
    }
    return failure
  }
}

/** Returns true for a failure that no caller can fix. */
function isOurs(failure: Failure): boolean {
  const { reason } = failure
  if (isStorageUsedUp(failure)) return false
  return reason === 'internal' || reason === 'unavailable' || reason === 'insufficient_storage'
}

/** Returns the customer as it was, or as `readNow` reads it. */
async function read(
  registry: RequestRegistry,
  target: PastTarget,
  options: Options,
  readNow: () => Promise<Snapshot>,
): Promise<RegistryCustomer> {
  const moment = momentOf(options)
  return moment ? getPastCustomer(registry, target, moment) : (await readNow()).customer
}

function create(
  registry: RequestRegistry,
  input: FieldsInput & { externalId: string },
  ifExists: 'fail' | 'return',
  options: CreateOptions,
): Promise<Written> {
  const onboarding = onboardingOf(options)
  return createCustomer(registry, toNewCustomer(input), { nowMs: services.clock(), ifExists, onboarding })
}

/** Throws one error that names every prop that is wrong. */
function readProps(props: unknown): z.output<typeof bindingProps> {
  const value = props ?? {}
  const { data, error } = bindingProps.safeParse(value, WITH_INPUT)
  if (data) return data
  const problems = problemsOf(error, { schema: bindingProps, value })
  throw boundWrongly(problems.map(({ field, message, fix }) => `props.${field} ${message}: ${fix}`))
}

function boundWrongly(problems: string[]): Error {
  return new Error(
    `Roster's Customers is bound wrongly, see [[services]] in your wrangler.toml: ${problems.join('; ')}`,
  )
}

/**
 * Returns an argument as its schema parses it. Throws `RegistryError` with `invalid_input`. A problem of the argument
 * as a whole has the argument's name as its field.
 */
function argument<Schema extends z.ZodType>(name: string, schema: Schema, value: unknown): z.output<Schema> {
  const { data, error, success } = schema.safeParse(value, WITH_INPUT)
  if (!success) {
    const problems = problemsOf(error, { schema, value })
    throw invalidInput(problems.map((problem) => ({ ...problem, field: problem.field || name })))
  }
  // A plain text is an id or external id. One that cannot be stored belongs to no customer, so it is `not_found`.
  const unstorable = typeof data === 'string' ? null : unstorableString(value)
  if (unstorable) throw invalidInput([unstorable])
  return data
}

/** Returns the id. Throws `not_found` without a read if no customer can have such an id. */
function customerId(id: string): string {
  if (!isId('customer', id)) throw notFound('customer')
  return id
}

function externalIdOf(text: string): string {
  if (!isExternalId(text)) throw notFound('customer')
  return text
}

function targetOf(given: CustomerTarget) {
  const target = toTarget(argument('target', customerTarget, given))
  if (target.id === undefined) externalIdOf(target.externalId)
  else customerId(target.id)
  return target
}

/** Waits for the write. Adds to a failure about the parent the field in which the caller named the parent. */
async function named(input: FieldsInput, write: Promise<Written>): Promise<Written> {
  try {
    return await write
  } catch (error) {
    const failure = error instanceof RegistryError ? error.failure : null
    switch (failure?.reason) {
      case 'parent_not_found':
      case 'parent_cycle':
      case 'parent_too_deep':
      case 'too_many_descendants':
        throw new RegistryError({ ...failure, field: parentFieldOf(input) })
      default:
        throw error
    }
  }
}

function ifOn(version: number | undefined): Precondition | null {
  return version === undefined ? null : { versions: [version] }
}

function changed(written: Written) {
  const customer = written.isCut ? written.customer : toRpc(written.customer)
  return { customer, consistencyToken: written.consistencyToken }
}
