/**
 * Counts wrong keys and sign-in links of operators, so that nobody can try many. After ten wrong keys from one address within a minute, further
 * wrong keys are blocked and not counted. A right key is never counted and never blocked (`authenticate-operator.ts`),
 * because others may share its address: all Workers of all accounts reach another zone from one address. The same
 * object always counts for an address. An object stores the last failures of at most 1,000 networks, by a keyed hash of
 * their addresses, and deletes them after a minute.
 */
import { DurableObject } from 'cloudflare:workers'
import type { AttemptCounter, Network } from '../env.ts'
import { FAILURE_MEMORY_MS, judgeFailure } from '../http/admin-attempts.ts'
import { systemClock } from '../shared/clock.ts'

/**
 * The most networks in an object. The bound protects the storage and not the keys: an attacker with more addresses
 * could try ten keys a minute from each, out of 2^140.
 */
const NETWORKS_MAX = 1_000

export class AdminGuard extends DurableObject<Cloudflare.Env> implements AttemptCounter {
  readonly #sql: SqlStorage

  constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
    super(ctx, env)
    this.#sql = ctx.storage.sql
    this.#sql.exec(
      'CREATE TABLE IF NOT EXISTS failures (address TEXT PRIMARY KEY, times TEXT NOT NULL, latest INTEGER NOT NULL) WITHOUT ROWID',
    )
  }

  /**
   * Counts a wrong key for each network that its address belongs to. Returns how many milliseconds the address has to wait,
   * or 0 if none of its networks is blocked.
   */
  async countFailure(networks: readonly Network[]): Promise<number> {
    const nowMs = systemClock()
    const judged = networks.map(({ network, failuresMax }) => {
      const [row] = this.#sql.exec<{ times: string }>('SELECT times FROM failures WHERE address = ?', network).toArray()
      return { network, ...judgeFailure(row ? JSON.parse(row.times) : [], nowMs, failuresMax) }
    })
    const blockedMs = Math.max(0, ...judged.map((one) => one.blockedMs))
    if (blockedMs === 0) {
      for (const { network, failuresMs } of judged) this.#store(network, failuresMs, nowMs)
      if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(nowMs + FAILURE_MEMORY_MS)
    }
    return blockedMs
  }

  /** Deletes the networks whose minute is over, because an IP address is personal data, hashed or not. */
  override async alarm(): Promise<void> {
    this.#forgetUntil(systemClock() - FAILURE_MEMORY_MS)
    const [next] = this.#sql.exec<{ at: number | null }>('SELECT min(latest) AS at FROM failures').toArray()
    if (next?.at != null) await this.ctx.storage.setAlarm(next.at + FAILURE_MEMORY_MS)
  }

  #store(network: string, failuresMs: number[], nowMs: number): void {
    this.#sql.exec(
      'INSERT INTO failures (address, times, latest) VALUES (?, ?, ?) ON CONFLICT (address) DO UPDATE SET times = excluded.times, latest = excluded.latest',
      network,
      JSON.stringify(failuresMs),
      nowMs,
    )
    this.#forgetUntil(nowMs - FAILURE_MEMORY_MS)
    this.#sql.exec(
      'DELETE FROM failures WHERE address IN (SELECT address FROM failures ORDER BY latest DESC LIMIT -1 OFFSET ?)',
      NETWORKS_MAX,
    )
  }

  #forgetUntil(untilMs: number): void {
    this.#sql.exec('DELETE FROM failures WHERE latest <= ?', untilMs)
  }
}
