/**
 * Admits the sender of a write or import at a gate: a key or a bound Worker, which take permits, or an operator, who
 * takes none. The operator's role was checked on the D1 primary as the request came in.
 */
import type { GateCore } from '../core/gate-core.ts'
import { WRITE_SCOPE, type WriteAdmission, type WriteRefusal } from '../core/write-admission.ts'
import type { IsolateClock, Sending } from '../protocol/writes.ts'

type Sender = IsolateClock & Pick<Sending, 'credential' | 'operator'>

export function admitSender(core: GateCore, sender: Sender, atMs: number): WriteAdmission<number | null> {
  return sender.operator
    ? core.admitOperator(sender, atMs)
    : core.admitWrite(sender.credential, WRITE_SCOPE, sender, atMs)
}

/** Returns why the sender may not write any more, apart from permits; null when it may. Call it right before a commit. */
export function refusalOfSender(core: GateCore, sender: Sender, atMs: number): WriteRefusal | null {
  return sender.operator ? core.refusalOfOperator() : core.refusalOf(sender.credential, WRITE_SCOPE, sender, atMs)
}
