/** Sentences that several APIs say about a refused caller, each in its own shape. */

export const NO_SUCH_ROUTE = 'There is nothing at this path: /docs has every path with its methods'
export const SUSPENDED =
  'The account is suspended: all its keys are refused until the operator of this service makes it active again'
export const ANNUAL_LIMIT_REACHED =
  'The requests of this contract year are used up: wait for the next one, as retry-after says, or have the limit raised'

export const TOO_LARGE_FIX =
  'shorten its metadata, its integrations, or its providers, locations and devices, or keep large values elsewhere'

const DATABASE_FULL = 'The database is full and nothing was changed: the operator of this service has to make room'
const STORAGE_USED_UP =
  'The storage of this account in this mode is used up and nothing was changed: erase customers, wait until events are 90 days old, or have the operator raise the limit. Archiving and erasing go on'

export function noRoomText({ of }: { of?: 'tenant' }): string {
  return of === 'tenant' ? STORAGE_USED_UP : DATABASE_FULL
}

export function missingScopeText(scope: string): string {
  return `The key has no scope ${scope}: send a key that has it, or have the operator make one`
}
