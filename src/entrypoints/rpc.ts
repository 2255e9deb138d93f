/**
 * The RPC API for Workers of the same account: `Customers`, bound with `services` in their wrangler.toml. The props of
 * the binding identify the caller, so there is no key. A call costs permits as in every API. Every result is data,
 * `{ok: true, …}` or `{ok: false, failure}`. A method throws only if the props are wrong, because the caller's code
 * cannot handle that.
 */
import { WorkerEntrypoint } from 'cloudflare:workers'
import type { z } from 'zod'
import { argument, customerId, externalIdOf, ifOn, named, readProps, targetOf } from '../apis/rpc/arguments.ts'
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
import {
  lastIdOf,
  momentOf,
  onboardingOf,
  toChanges,
  toKept,
  toListQuery,
  toMoved,
  toNewCustomer,
  toRpc,
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
  type CustomerTarget,
  type CustomerUpdate,
  customerUpdate,
  type FieldsInput,
  type NewCustomer,
  newCustomer,
} from '../apis/rpc/schema.ts'
import { services } from '../composition/services.ts'
import { pageCursor } from '../http/cursor.ts'
import type { RequestRegistry } from '../http/services.ts'
import type { Customer as RegistryCustomer } from '../registry/customer.ts'
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
import { utf8 } from '../shared/bytes.ts'
import type { Eventual } from '../shared/eventual.ts'
import { serveCall } from './rpc-call.ts'

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

  async #serve<Success extends object>(
    route: string,
    schema: () => z.ZodType<Options>,
    given: unknown,
    work: (registry: RequestRegistry, options: Options, requestId: string) => Promise<Success>,
  ): Promise<({ ok: true } & Success) | Failed> {
    const at = { env: this.env, executionCtx: this.ctx }
    return serveCall(at, readProps(this.ctx.props), { route, schema, given, work })
  }
}

/** Returns the customer as it was, or as `readNow` reads it. */
async function read(
  registry: RequestRegistry,
  target: PastTarget,
  options: Options,
  readNow: () => Eventual<Snapshot>,
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

function changed(written: Written) {
  const customer = written.isCut ? written.customer : toRpc(written.customer)
  return { customer, consistencyToken: written.consistencyToken }
}
