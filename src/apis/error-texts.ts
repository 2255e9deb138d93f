/** Sentences that several APIs say about a refused caller, each in its own shape. */
import type { MergeExcess } from '../registry/merge.ts'
import type { RevertConflict } from '../registry/revert.ts'

export const NO_SUCH_ROUTE = 'There is nothing at this path: /docs has every path with its methods'
export const SUSPENDED =
  'The account is suspended: all its keys are refused until the operator of this service makes it active again'
export const ANNUAL_LIMIT_REACHED =
  'The requests of this contract year are used up: wait for the next one, as retry-after says, or have the limit raised'

export const HISTORY_EXPIRED =
  'The changes of that time are no longer kept (for 400 days, unless the operator has set another time), or they are too old for an undo of many customers (14 days, unless the operator has set another time): revert single customers instead'

/** Returns why a field cannot be what it was. */
export function revertConflictText(reason: RevertConflict['reason'], customerId: string | null): string {
  const other = customerId ?? 'another customer'
  switch (reason) {
    case 'external_id_taken':
      return `of then belongs to ${other} now`
    case 'integration_taken':
      return `of then has an entity that belongs to ${other} now`
    case 'parent_not_found':
      return `of then, ${other}, is archived or erased`
    case 'parent_cycle':
      return `of then, ${other}, is below this customer now`
    case 'parent_too_deep':
      return `of then, ${other}, would nest customers too deep now`
    case 'too_many_descendants':
      return 'of then cannot be given to a customer with so many others below it'
    case 'has_children':
      return 'of then is archived, and other customers belong to this one now'
  }
}

export const TOO_LARGE_FIX =
  'shorten its metadata, its integrations, or its providers, locations and devices, or keep large values elsewhere'

const DATABASE_FULL = 'The database is full and nothing was changed: the operator of this service has to make room'
const STORAGE_USED_UP =
  'The storage of this account in this mode is used up and nothing was changed: erase customers, wait until events are archived, after 14 days, or have the operator raise the limit. Archiving and erasing go on'

export function noRoomText({ of }: { of?: 'tenant' }): string {
  return of === 'tenant' ? STORAGE_USED_UP : DATABASE_FULL
}

export function missingScopeText(scope: string): string {
  return `The key has no scope ${scope}: send a key that has it, or have the operator make one`
}

export const NO_SUCH_TENANT =
  'There is no tenant with the id in roster-tenant: send a customer_id of GET /admin/customers'

export const OPERATORS_ONLY =
  'roster-tenant is for operators who use /v1: leave the header out, the key or token says which tenant it is of'

export function missingRoleText(role: string, needed: string): string {
  return `This needs an operator with the role ${needed}, and yours is ${role}: have one with that role do it, or have an owner raise your role`
}

export const UNMERGE_EXPIRED = 'The merge was more than 30 days ago, and what it moved is no longer kept'

/** Returns the sentence for an unmerge that another one has to precede. */
export function unmergeOrderText(firstId: string): string {
  return `The source came here with ${firstId}, into which it had been merged before: unmerge that one first, and then the source from it`
}

/** Returns the sentence for a merge that would move too much. */
export function excessText({ what, max }: MergeExcess): string {
  switch (what) {
    case 'children':
      return `More than ${max} customers belong to this one, and a merge moves at most ${max}: give some of them another parent first`
    case 'former_external_ids':
      return `The customer has more than ${max} former external ids, and a merge moves at most ${max}`
    case 'integrations':
      return `Together the customers have more than ${max} integrations: remove some of them first`
    case 'merged_customers':
      return `A customer stands for at most ${max} others that were merged into it`
  }
}
