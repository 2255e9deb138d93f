/**
 * Makes the compiler write the types of src/client-routes.ts out in full, so that the package needs nothing of the
 * Worker. Never run and never shipped: scripts/build-client.mjs makes plain type declarations of what the compiler
 * infers here.
 */
import type {
  CallHeaders,
  FlatpeakCustomer,
  FlatpeakError,
  RosterRoutes,
  Tenant,
  V1Customer,
  V1Error,
} from '../../src/client-routes.ts'
import type { EventType } from '../../src/events/catalogue.ts'
import type { Kept, Moved } from '../../src/formats/merge-report.ts'
import type { V1CustomerAlone } from '../../src/formats/v1-customer.ts'
import type { CustomerStatus, Mode } from '../../src/registry/customer.ts'
import type { DuplicateReason } from '../../src/registry/duplicates.ts'

type Plain = string | number | boolean | null | undefined

/** The same type without names. A type that contains itself cannot be written out. */
type WrittenOut<T> = unknown extends T
  ? T
  : T extends Plain
    ? T
    : T extends infer O
      ? { [Name in keyof O]: WrittenOut<O[Name]> }
      : never

/** The compiler writes out what a call returns; it would keep the name of an alias. */
declare function writtenOut<T>(): WrittenOut<T>

/** A union of texts keeps its name whatever is done to it, so its members are written out as keys. */
declare function keys<T extends string>(): { [Name in T]: Name }

// These keep their names where a property is declared with them.
export const keysOfCustomerStatus = keys<CustomerStatus>()
export const keysOfDuplicateReason = keys<DuplicateReason>()
export const keysOfEventType = keys<EventType>()
export const keysOfMode = keys<Mode>()
export const asKept = writtenOut<Kept>()
export const asMoved = writtenOut<Moved>()
export const asV1CustomerAlone = writtenOut<V1CustomerAlone>()

export const asCallHeaders = writtenOut<CallHeaders>()
export const asFlatpeakCustomer = writtenOut<FlatpeakCustomer>()
export const asFlatpeakError = writtenOut<FlatpeakError>()
export const asRosterRoutes = writtenOut<RosterRoutes>()
export const asTenant = writtenOut<Tenant>()
export const asV1Customer = writtenOut<V1Customer>()
export const asV1Error = writtenOut<V1Error>()
