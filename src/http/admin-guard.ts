/**
 * Counts wrong admin keys, so that they can not be tried out: ten of one address within a minute, and the address waits.
 * An address always comes to the same object, which is asked once for each admin request that brings a key. Which key is right is for
 * `authenticate-admin.ts` to say; nothing here sees one. It keeps at most the last ten failures of 1,000 addresses.
 */
import { DurableObject } from 'cloudflare:workers'
import { systemClock } from '../shared/clock.ts'

export const FAILURES_MAX = 10
export const FAILURE_MEMORY_MS = 60_000
/** Who has more addresses than this guesses ten times as many keys a minute, of 2^140: the bound is for the storage. */
const ADDRESSES_MAX = 1_000

/** One object could be kept too busy to let an operator in, one for each address could be made without end. */
const GUARDS = 256

/** The object that counts for an address. */
export function guardNameOf(address: string): string {
  let hash = 0
  for (let at = 0; at < address.length; at++) hash = (Math.imul(hash, 31) + address.charCodeAt(at)) | 0
  return `admin:${(hash >>> 0) % GUARDS}`
}

/** The failures that still count after this attempt, and how long the address has to wait; 0: it may go on. */
export function judgeAttempt(
  failuresMs: number[],
  keyIsRight: boolean,
  nowMs: number,
): { failuresMs: number[]; blockedMs: number } {
  const recent = failuresMs.filter((failedAtMs) => failedAtMs > nowMs - FAILURE_MEMORY_MS)
  const oldestMs = recent[0]
  // A blocked attempt is not counted: whoever waits as told is let in.
  if (oldestMs !== undefined && recent.length >= FAILURES_MAX) {
    return { failuresMs: recent, blockedMs: oldestMs + FAILURE_MEMORY_MS - nowMs }
  }
  return { failuresMs: keyIsRight ? recent : [...recent, nowMs], blockedMs: 0 }
}

export class AdminGuard extends DurableObject<Cloudflare.Env> {
  readonly #sql: SqlStorage

  constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
    super(ctx, env)
    this.#sql = ctx.storage.sql
    this.#sql.exec(
      'CREATE TABLE IF NOT EXISTS failures (address TEXT PRIMARY KEY, times TEXT NOT NULL, latest INTEGER NOT NULL) WITHOUT ROWID',
    )
  }

  /** How long this address has to wait before it is listened to; 0: the answer is about the key. */
  attempt(address: string, keyIsRight: boolean): number {
    const nowMs = systemClock()
    const row = this.#sql.exec<{ times: string }>('SELECT times FROM failures WHERE address = ?', address).toArray()[0]
    const { failuresMs, blockedMs } = judgeAttempt(row ? JSON.parse(row.times) : [], keyIsRight, nowMs)
    if (!keyIsRight && blockedMs === 0) this.#store(address, failuresMs, nowMs)
    return blockedMs
  }

  #store(address: string, failuresMs: number[], nowMs: number): void {
    this.#sql.exec(
      'INSERT INTO failures (address, times, latest) VALUES (?, ?, ?) ON CONFLICT (address) DO UPDATE SET times = excluded.times, latest = excluded.latest',
      address,
      JSON.stringify(failuresMs),
      nowMs,
    )
    this.#sql.exec('DELETE FROM failures WHERE latest <= ?', nowMs - FAILURE_MEMORY_MS)
    this.#sql.exec(
      'DELETE FROM failures WHERE address IN (SELECT address FROM failures ORDER BY latest DESC LIMIT -1 OFFSET ?)',
      ADDRESSES_MAX,
    )
  }
}
