/**
 * Counts wrong admin keys, so that nobody can try many. After ten wrong keys from one address within a minute, further
 * wrong keys are blocked and not counted. A right key is never counted and never blocked (`authenticate-admin.ts`),
 * because others may share its address: all Workers of all accounts reach another zone from one address. The same
 * object always counts for an address. An object stores the last ten failures of at most 1,000 addresses, and deletes
 * them after a minute.
 */
import { DurableObject } from 'cloudflare:workers'
import type { AttemptCounter } from '../env.ts'
import { FAILURE_MEMORY_MS, judgeFailure } from '../http/admin-attempts.ts'
import { systemClock } from '../shared/clock.ts'

/**
 * The most addresses in an object. The bound protects the storage and not the keys: an attacker with more addresses
 * could try ten keys a minute from each, out of 2^140.
 */
const ADDRESSES_MAX = 1_000

export class AdminGuard extends DurableObject<Cloudflare.Env> implements AttemptCounter {
  readonly #sql: SqlStorage

  constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
    super(ctx, env)
    this.#sql = ctx.storage.sql
    this.#sql.exec(
      'CREATE TABLE IF NOT EXISTS failures (address TEXT PRIMARY KEY, times TEXT NOT NULL, latest INTEGER NOT NULL) WITHOUT ROWID',
    )
  }

  /** Counts a wrong key. Returns how many milliseconds its address has to wait, or 0 if it is not blocked. */
  async countFailure(address: string): Promise<number> {
    const nowMs = systemClock()
    const row = this.#sql.exec<{ times: string }>('SELECT times FROM failures WHERE address = ?', address).toArray()[0]
    const { failuresMs, blockedMs } = judgeFailure(row ? JSON.parse(row.times) : [], nowMs)
    if (blockedMs === 0) {
      this.#store(address, failuresMs, nowMs)
      if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(nowMs + FAILURE_MEMORY_MS)
    }
    return blockedMs
  }

  /** Deletes the addresses whose minute is over, because an IP address is personal data. */
  override async alarm(): Promise<void> {
    this.#forgetUntil(systemClock() - FAILURE_MEMORY_MS)
    const [next] = this.#sql.exec<{ at: number | null }>('SELECT min(latest) AS at FROM failures').toArray()
    if (next?.at != null) await this.ctx.storage.setAlarm(next.at + FAILURE_MEMORY_MS)
  }

  #store(address: string, failuresMs: number[], nowMs: number): void {
    this.#sql.exec(
      'INSERT INTO failures (address, times, latest) VALUES (?, ?, ?) ON CONFLICT (address) DO UPDATE SET times = excluded.times, latest = excluded.latest',
      address,
      JSON.stringify(failuresMs),
      nowMs,
    )
    this.#forgetUntil(nowMs - FAILURE_MEMORY_MS)
    this.#sql.exec(
      'DELETE FROM failures WHERE address IN (SELECT address FROM failures ORDER BY latest DESC LIMIT -1 OFFSET ?)',
      ADDRESSES_MAX,
    )
  }

  #forgetUntil(untilMs: number): void {
    this.#sql.exec('DELETE FROM failures WHERE latest <= ?', untilMs)
  }
}
