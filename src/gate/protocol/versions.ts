/**
 * Lets an isolate and a gate of neighbouring protocol versions communicate, as they must during a deployment and after
 * a rollback. Each side supports its own version and the one before it. The newer side translates; the older one needs
 * no code for it.
 *
 * - A gate reads a request of either version, and replies in the version of the request.
 * - A gate that does not support the version of a request does nothing and replies `OtherVersion` at once.
 * - An isolate that receives it sends the request again in the older version, and keeps to it until the gate restarts.
 *
 * To change a message: raise PROTOCOL_VERSION, set OLDEST_VERSION to the deployed version, and replace the entries of
 * STEPS by the translations between the two. `reload`, `usage` and `ping` have no version: only add optional fields to
 * them. test/node/gate/protocol-versions.model.test.ts runs gates and isolates of two versions side by side.
 */
import type { ImportReply, ImportRequest } from './imports.ts'
import {
  type LeaseReply,
  type LeaseRequest,
  OLDEST_VERSION,
  type OtherVersion,
  PROTOCOL_VERSION,
  type Versioned,
} from './leases.ts'
import type { UndoReply, UndoRequest } from './undo.ts'
import type { WriteReply, WriteRequest } from './writes.ts'

interface Messages {
  lease: { request: LeaseRequest; reply: LeaseReply }
  write: { request: Versioned<WriteRequest>; reply: Versioned<WriteReply> }
  import: { request: Versioned<ImportRequest>; reply: Versioned<ImportReply> }
  undo: { request: Versioned<UndoRequest>; reply: Versioned<UndoReply> }
}
type Kind = keyof Messages
type Message = { v: number }

/** `Up`: from the version before to this one. `Down`: the way back. Must not modify its argument. */
type Step = 'requestUp' | 'requestDown' | 'replyUp' | 'replyDown'
type Translate = (message: Record<string, unknown>) => Record<string, unknown>

/** Translations from and to the version before. A message that is not named here is the same in both. */
const STEPS: Partial<Record<Kind, Partial<Record<Step, Translate>>>> = {}

/** At a gate: returns the request in this version; null if its version is not supported. */
export function readRequest<K extends Kind>(kind: K, request: Message): Messages[K]['request'] | null {
  return isKnown(request) ? (translated(kind, 'requestUp', request, PROTOCOL_VERSION) as Messages[K]['request']) : null
}

/** At a gate: returns the reply in the version of the request. */
export function writeReply<K extends Kind>(
  kind: K,
  reply: Messages[K]['reply'],
  version: number,
): Messages[K]['reply'] {
  return translated(kind, 'replyDown', reply, version) as Messages[K]['reply']
}

/** At a gate: returns the reply to a request of an unsupported version. */
export function otherVersion(request: Message): OtherVersion {
  return { v: PROTOCOL_VERSION, kind: 'other_version', asked: request.v }
}

/** At an isolate: returns the request in the gate's version. */
export function writeRequest<K extends Kind>(
  kind: K,
  request: Messages[K]['request'],
  version: number,
): Messages[K]['request'] {
  return translated(kind, 'requestDown', request, version) as Messages[K]['request']
}

/**
 * At an isolate: returns the reply in this version; null if the gate did not support the request, or its reply is not
 * supported here.
 */
export function readReply<K extends Kind>(kind: K, reply: Message): Messages[K]['reply'] | null {
  if (!isKnown(reply) || isOtherVersion(reply)) return null
  return translated(kind, 'replyUp', reply, PROTOCOL_VERSION) as Messages[K]['reply']
}

/** At an isolate: returns the version to use instead; null if the reply is a real one or there is no common version. */
export function versionToUse(reply: Message): number | null {
  if (!isOtherVersion(reply)) return null
  const version = Math.min(reply.v, PROTOCOL_VERSION)
  return version >= OLDEST_VERSION && version !== reply.asked ? version : null
}

/**
 * At an isolate: sends a write or an import in the gate's version. The caller keeps `gate` for the next message. Throws
 * when there is no common version; the gate has then done nothing.
 */
export async function callGate<K extends 'write' | 'import' | 'undo'>(
  kind: K,
  request: Messages[K]['request'],
  gate: { gateVersion: number },
  call: (request: Messages[K]['request']) => Promise<Message>,
): Promise<Messages[K]['reply']> {
  let reply = await call(writeRequest(kind, request, gate.gateVersion))
  const version = versionToUse(reply)
  if (version !== null) {
    gate.gateVersion = version
    reply = await call(writeRequest(kind, request, version))
  }
  const read = readReply(kind, reply)
  if (read) return read
  throw new Error(`the gate speaks version ${reply.v} of the protocol, and this is version ${PROTOCOL_VERSION}`)
}

function isKnown({ v }: Message): boolean {
  return v >= OLDEST_VERSION && v <= PROTOCOL_VERSION
}

function isOtherVersion(reply: Message): reply is OtherVersion {
  return 'kind' in reply && reply.kind === 'other_version'
}

/** Returns the message itself when both sides have this version, which is nearly always so. */
function translated(kind: Kind, step: Step, message: Message, version: number): Message {
  if (message.v === version) return message
  const translate = STEPS[kind]?.[step]
  return { ...(translate ? translate({ ...message }) : message), v: version }
}
