/** Ports of the operations on operators. `storage/operators` implements them; composition puts the rest together. */
import type { ResponseStore, ResponseToStore } from '../idempotency/idempotency.ts'
import type { Precondition } from '../registry/precondition.ts'
import type { Clock } from '../shared/clock.ts'
import type { NewId } from '../shared/ids.ts'
import type { Page, PageRequest } from '../tenants/ports.ts'
import type { StoredCredential } from './credential.ts'
import type { Operator, OperatorKey, OperatorSession, Role, SignInLink } from './operator.ts'

/** Changes of an operator. Absent fields keep their value. */
export interface OperatorChanges {
  name?: string | undefined
  email?: string | undefined
  role?: Role | undefined
}

/**
 * Every method is one atomic batch, which also writes the audit. A stored response is written in the same batch. Methods
 * throw `RegistryError` with the failure of a rule that the database keeps, see `refusals.ts`.
 */
export interface OperatorStore extends ResponseStore {
  insert(operator: Operator, response: ResponseToStore | null): Promise<void>
  get(operatorId: string): Promise<Operator | null>
  list(page: PageRequest): Promise<Page<Operator>>
  /**
   * Changes only fields that are given and differ. Returns null if there is no such operator. Throws `RegistryError` with
   * `version_conflict` if it does not meet the precondition.
   */
  update(
    operatorId: string,
    changes: OperatorChanges,
    precondition: Precondition | null,
    nowMs: number,
  ): Promise<Operator | null>
  /** Deletes the operator with its keys, sessions and links. Returns whether there was one. */
  delete(operatorId: string, precondition: Precondition | null, nowMs: number): Promise<boolean>

  /** Returns false if there is no such operator. */
  insertKey(key: OperatorKey, response: ResponseToStore | null): Promise<boolean>
  /** Returns all keys, newest first. Returns null if there is no such operator. */
  listKeys(operatorId: string): Promise<OperatorKey[] | null>
  /** Deletes the key, and ends the sessions that were made with it. Returns whether there was one. */
  deleteKey(operatorId: string, keyId: string, nowMs: number): Promise<boolean>
  /** Returns false if there is no such operator. */
  insertLink(link: SignInLink, response: ResponseToStore | null): Promise<boolean>

  /**
   * Starts the session, and ends the one that it replaces. Ends the oldest ones of the operator, or of all admin keys, if
   * there are more than `SESSIONS_MAX`. Returns false if the operator does not exist any more.
   */
  startSession(session: OperatorSession, replacedId: string | null): Promise<boolean>
  /** Does the same, and uses the link up. Returns false if the link is used up already. */
  startSessionByLink(session: OperatorSession, linkId: string, replacedId: string | null): Promise<boolean>
  endSession(sessionId: string, nowMs: number): Promise<void>
}

/** Looks credentials up on the D1 primary, one read each. All return null for what does not exist or has expired. */
export interface OperatorIdentities {
  ofKey(key: StoredCredential, nowMs: number): Promise<{ operator: Operator; key: OperatorKey } | null>
  /** `operator` is null for a session of an admin key. */
  ofSession(
    session: StoredCredential,
    nowMs: number,
  ): Promise<{ session: OperatorSession; operator: Operator | null } | null>
  ofLink(link: StoredCredential, nowMs: number): Promise<Operator | null>
  ofEmail(email: string): Promise<Operator | null>
  /** Writes the minute of a request, of the operator and of the key that it was sent with. */
  touch(operatorId: string, keyId: string | null, minuteMs: number): Promise<void>
}

export interface OperatorDeps {
  store: OperatorStore
  clock: Clock
  newId: NewId
  /** The first signs. */
  signingSecrets: readonly string[]
}
