/**
 * The door for Workers of the same account: `Customers`, bound with `services` in their wrangler.toml. The binding's props
 * say who calls, so there is no key; permits are spent as at every door. Every answer is data, `{ok: true, …}` or
 * `{ok: false, failure}`; only props that are wrong throw, because no code of the caller can do anything about them.
 */
import { WorkerEntrypoint } from 'cloudflare:workers'
import type { z } from 'zod'
import type { EdgeRegistry } from '../../gate/edge-registry.ts'
import { unstorableString } from '../../http/body.ts'
import { problemsOf } from '../../http/problems.ts'
import { logRefusal } from '../../http/refusal-log.ts'
import { requestIdOf } from '../../http/request-id.ts'
import type { Scope } from '../../registry/customer.ts'
import { type Failure, type InputProblem, Refused } from '../../registry/failures.ts'
import {
  archiveCustomer,
  createCustomer,
  getCustomer,
  getCustomerByExternalId,
  listCustomers,
  restoreCustomer,
  updateCustomer,
} from '../../registry/operations.ts'
import type { Written } from '../../registry/ports.ts'
import { describeError, log } from '../../shared/log.ts'
import { wiring } from '../../wiring.ts'
import { type CustomerFailure, wordFailure } from './failures.ts'
import {
  anyText,
  type BindingProps,
  bindingProps,
  type CallOptions,
  type ChangeOptions,
  type CreateOptions,
  type CustomerQuery,
  type CustomerTarget,
  type CustomerUpdate,
  callOptions,
  changeOptions,
  createOptions,
  customerQuery,
  customerTarget,
  customerUpdate,
  type FieldsInput,
  isCustomerId,
  isExternalId,
  type NewCustomer,
  newCustomer,
} from './schema.ts'
import {
  type Customer,
  nextCursorOf,
  onboardingOf,
  parentFieldOf,
  toChanges,
  toListQuery,
  toNewCustomer,
  toRpc,
  toTarget,
} from './translate.ts'

/** The call did not do what was asked. */
export interface Failed {
  ok: false
  failure: CustomerFailure
}
export type Found = { ok: true; customer: Customer } | Failed
/** `consistencyToken`, sent back with a read, makes the read see this write. */
export type Changed = { ok: true; customer: Customer; consistencyToken: string } | Failed
export type FoundOrCreated = { ok: true; customer: Customer; created: boolean; consistencyToken: string } | Failed
/** `nextCursor` is null on the last page. */
export type Listed = { ok: true; customers: Customer[]; nextCursor: string | null } | Failed

/** Tenants that are known to exist. Bindings name few, and no tenant is ever removed. */
const tenantsSeen = new Set<string>()

type Options = ChangeOptions & CreateOptions

export class Customers extends WorkerEntrypoint<Cloudflare.Env, BindingProps> {
  /** Makes a customer. `external_id_taken` names the one that has the external id. */
  create(fields: NewCustomer, options?: CreateOptions): Promise<Changed> {
    return this.#serve('create', createOptions, options, async (registry, given) => {
      const input = argument('fields', newCustomer, fields)
      return changed(await named(input, create(registry, input, 'fail', given)))
    })
  }

  /** The customer of this id; an archived one too. */
  get(id: string, options?: CallOptions): Promise<Found> {
    return this.#serve('get', callOptions, options, async (registry) => {
      const { customer } = await getCustomer(registry, customerId(argument('id', anyText, id)))
      return { customer: toRpc(customer) }
    })
  }

  /** The customer that has this external id, or had it before and no other took it; an archived one is not found. */
  getByExternalId(externalId: string, options?: CallOptions): Promise<Found> {
    return this.#serve('getByExternalId', callOptions, options, async (registry) => {
      const text = argument('externalId', anyText, externalId)
      const { customer } = await getCustomerByExternalId(registry, externalIdOf(text))
      return { customer: toRpc(customer) }
    })
  }

  /** The customer of this external id as it is, or else a new one. However many call at once, there is one. */
  getOrCreate(fields: NewCustomer, options?: CreateOptions): Promise<FoundOrCreated> {
    return this.#serve('getOrCreate', createOptions, options, async (registry, given) => {
      const input = argument('fields', newCustomer, fields)
      const written = await named(input, create(registry, input, 'return', given))
      return { ...changed(written), created: written.effect === 'created' }
    })
  }

  /** Changes only what `changes` names. */
  update(target: CustomerTarget, changes: CustomerUpdate, options?: ChangeOptions): Promise<Changed> {
    return this.#serve('update', changeOptions, options, async (registry, { ifVersion = null }) => {
      const input = argument('changes', customerUpdate, changes)
      return changed(await named(input, updateCustomer(registry, targetOf(target), toChanges(input), ifVersion)))
    })
  }

  /** Takes the customer out of use; its external id is free again. */
  archive(target: CustomerTarget, options?: ChangeOptions): Promise<Changed> {
    return this.#serve('archive', changeOptions, options, async (registry, { ifVersion = null }) =>
      changed(await archiveCustomer(registry, targetOf(target), ifVersion)),
    )
  }

  /** Brings an archived customer back, unless another took its external id meanwhile. */
  restore(id: string, options?: ChangeOptions): Promise<Changed> {
    return this.#serve('restore', changeOptions, options, async (registry, { ifVersion = null }) => {
      const target = { id: customerId(argument('id', anyText, id)) }
      return changed(await restoreCustomer(registry, target, ifVersion))
    })
  }

  /** A page of customers; the next one begins at `nextCursor`. */
  list(query?: CustomerQuery, options?: CallOptions): Promise<Listed> {
    return this.#serve('list', callOptions, options, async (registry) => {
      const page = await listCustomers(registry, toListQuery(argument('query', customerQuery, query ?? {})), {
        total: false,
      })
      return { customers: page.customers.map(toRpc), nextCursor: nextCursorOf(page) }
    })
  }

  /** Does the work of method `route` for the caller that the props name, and turns what goes wrong into data. */
  async #serve<Success extends object>(
    route: string,
    schema: z.ZodType<Options>,
    given: unknown,
    work: (registry: EdgeRegistry, options: Options) => Promise<Success>,
  ): Promise<({ ok: true } & Success) | Failed> {
    const { caller: name, scopes, ...scope } = readProps(this.ctx.props)
    const options = schema.safeParse(given ?? {})
    const { consistencyToken = null, reason = null, requestId = null } = options.data ?? {}
    const sent: Record<string, string | null> = { 'consistency-token': consistencyToken, 'x-reason': reason }
    const startedAtMs = wiring.clock()
    const facts = { requestId: requestIdOf(requestId), headers: { get: (header: string) => sent[header] ?? null } }
    const registry = wiring.registryForBound(this.env, this.ctx, { ...scope, name, scopes }, facts)
    const count = (status: number) => {
      const { scope, source, io } = registry
      const label = { door: 'rpc', route }
      wiring.count({ env: this.env, executionCtx: this.ctx }, { scope, label, status, source, startedAtMs, io })
    }
    try {
      const done = await work(registry, argument('options', schema, given ?? {}))
      count(200)
      return { ok: true, ...done }
    } catch (error) {
      const failure = await this.#failureOf(error, registry, facts.requestId)
      const mayBeNoTenant = ['unavailable', 'tenant_suspended', 'rate_limited'].includes(failure.reason)
      if (mayBeNoTenant && (await this.#isNoTenant(scope))) {
        throw boundWrongly(['props.tenantId names no tenant: send a customer_id of /admin/customers'])
      }
      count(isOurs(failure) ? 500 : 400)
      return { ok: false, failure: wordFailure(failure) }
    }
  }

  /** The gate of a tenant that does not exist admits nobody, or is away. False as long as nobody knows. */
  async #isNoTenant(scope: Scope): Promise<boolean> {
    if (tenantsSeen.has(scope.tenantId)) return false
    const exists = await wiring.tenantExists(this.env, scope).catch(() => null)
    if (exists) tenantsSeen.add(scope.tenantId)
    return exists === false
  }

  /** As at the HTTP doors: bad input costs a permit, and only a caller in good standing is told what is wrong with it. */
  async #failureOf(error: unknown, registry: EdgeRegistry, requestId: string): Promise<Failure> {
    const found: Failure = error instanceof Refused ? error.failure : { reason: 'internal' }
    const line = { requestId, door: 'rpc', ...registry.scope }
    if (found.reason === 'internal') log('error', { event: 'failed', error: describeError(error), ...line })
    const failure = (await registry.refusalOfCaller()) ?? found
    if (failure.reason !== 'not_found') {
      const level = isOurs(failure) ? 'error' : 'info'
      logRefusal(level, { event: 'refused', reason: failure.reason, ...line }, wiring.clock())
    }
    return failure
  }
}

/** True for what no caller can mend. */
function isOurs({ reason }: Failure): boolean {
  return reason === 'internal' || reason === 'unavailable'
}

function create(
  registry: EdgeRegistry,
  input: FieldsInput & { externalId: string },
  ifExists: 'fail' | 'return',
  options: CreateOptions,
): Promise<Written> {
  const onboarding = onboardingOf(options)
  return createCustomer(registry, toNewCustomer(input), { nowMs: wiring.clock(), ifExists, onboarding })
}

/** Throws one error that names every prop that is wrong. */
function readProps(props: unknown): z.output<typeof bindingProps> {
  const { data, error } = bindingProps.safeParse(props ?? {})
  if (data) return data
  throw boundWrongly(problemsOf(error).map(({ field, message, fix }) => `props.${field} ${message}: ${fix}`))
}

function boundWrongly(problems: string[]): Error {
  return new Error(
    `Roster's Customers is bound wrongly, see [[services]] in your wrangler.toml: ${problems.join('; ')}`,
  )
}

/** An argument as its schema reads it. A problem with the whole is told of the argument's name. */
function argument<Schema extends z.ZodType>(name: string, schema: Schema, value: unknown): z.output<Schema> {
  const { data, error, success } = schema.safeParse(value)
  if (!success) throw refused(problemsOf(error).map((problem) => ({ ...problem, field: problem.field || name })))
  // A bare text names a customer; one that can not be stored names none.
  const unstorable = typeof data === 'string' ? null : unstorableString(data)
  if (unstorable) throw refused([unstorable])
  return data
}

function refused(problems: InputProblem[]): Refused {
  return new Refused({ reason: 'invalid_input', problems })
}

/** What can be no customer's is nobody's. */
function customerId(id: string): string {
  if (!isCustomerId(id)) throw new Refused({ reason: 'not_found', resource: 'customer' })
  return id
}

function externalIdOf(text: string): string {
  if (!isExternalId(text)) throw new Refused({ reason: 'not_found', resource: 'customer' })
  return text
}

function targetOf(given: CustomerTarget) {
  const target = toTarget(argument('target', customerTarget, given))
  if (target.id === undefined) externalIdOf(target.externalId)
  else customerId(target.id)
  return target
}

/** A failure about the parent is told of the field that the caller named it with. */
async function named(input: FieldsInput, write: Promise<Written>): Promise<Written> {
  try {
    return await write
  } catch (error) {
    const failure = error instanceof Refused ? error.failure : null
    switch (failure?.reason) {
      case 'parent_not_found':
      case 'parent_cycle':
      case 'parent_too_deep':
        throw new Refused({ ...failure, field: parentFieldOf(input) })
      default:
        throw error
    }
  }
}

function changed({ customer, consistencyToken }: Written) {
  return { customer: toRpc(customer), consistencyToken }
}
