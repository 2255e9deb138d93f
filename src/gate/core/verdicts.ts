/**
 * A gate's verdicts on API keys: the keys of its tenant and mode, by the hash of their secret. Pure.
 */

import type { LeaseRequest, Verdict } from '../protocol/leases.ts'
import type { GateKey } from './gate-storage.ts'

export class Verdicts {
  /** The ids of the keys. One of them may have expired. */
  readonly ids: ReadonlySet<string>
  #keys: Map<string, GateKey>

  constructor(keys: readonly GateKey[]) {
    this.ids = new Set(keys.map(({ id }) => id))
    this.#keys = new Map(keys.map((key) => [key.secretHash, key]))
  }

  of(secretHash: string, nowMs: number): Verdict {
    const key = this.#keys.get(secretHash)
    if (!key || (key.expiresAtMs !== null && key.expiresAtMs <= nowMs)) return { known: false }
    const expiresInMs = key.expiresAtMs === null ? null : key.expiresAtMs - nowMs
    return { known: true, keyId: key.id, scopes: key.scopes, expiresInMs }
  }

  /** Returns the verdicts that a request for a lease needs; `version` is that of the policy in force. */
  for({ credentials, recent, seenVersion }: LeaseRequest, version: number, nowMs: number): Record<string, Verdict> {
    const verdicts: Record<string, Verdict> = {}
    for (const hash of credentials) verdicts[hash] = this.of(hash, nowMs)
    if (seenVersion !== version) for (const hash of recent) verdicts[hash] = this.of(hash, nowMs)
    return verdicts
  }
}
