/**
 * Posts the log lines of a Roster that need a person to a webhook. Cloudflare calls `tail` after each invocation of
 * Roster with what it logged; an invocation without a line of interest costs nothing further.
 */
import { DurableObject } from 'cloudflare:workers'
import type { Invocation } from '../../../scripts/tail-lines.ts'
import { decide, postFailed, type Seen } from './decide.ts'
import { type Found, foundIn, textOf } from './found.ts'
import { RULES, type Rule, ruleOf } from './rules.ts'

const POST_TIMEOUT_MS = 10_000

export default {
  async tail(events: TraceItem[], env: Cloudflare.Env): Promise<void> {
    const alerts = env.ALERTS.getByName('roster')
    const found = foundIn(events as unknown as Invocation[])
    if (found.length > 0) await alerts.report(found)
    if (events.some(({ event }) => event !== null && 'cron' in event)) await alerts.swept()
  },
}

/** Stores which events were received and posted, so that an event is posted once and not for each line and isolate. */
export class Alerts extends DurableObject<Cloudflare.Env> {
  constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
    super(ctx, env)
    ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS seen (event TEXT PRIMARY KEY, seen TEXT NOT NULL) WITHOUT ROWID')
  }

  /** Throws if the webhook does not take what is due; it is then due again with the next line. */
  async report(all: Found[]): Promise<void> {
    const nowMs = Date.now()
    const due: { found: Found; rule: Rule; seen: Seen }[] = []
    for (const found of all) {
      const rule = ruleOf({ event: found.event, level: found.last.level ?? '' })
      if (rule === null) continue
      const { seen, post } = decide(rule, this.#seen(found.event), found.lines, nowMs)
      // Stored before the post, so that others that arrive meanwhile do not post it too.
      this.#remember(found.event, seen)
      if (post > 0) due.push({ found: { ...found, lines: post }, rule, seen })
    }
    if (due.length === 0) return
    try {
      await this.#post(due.map(({ found, rule }) => textOf(found, rule)).join('\n\n'))
    } catch (error) {
      for (const { found, seen } of due) {
        this.#remember(found.event, postFailed(this.#seen(found.event) ?? seen, found.lines, nowMs))
      }
      throw error
    }
  }

  /** The cron of Roster has run. */
  async swept(): Promise<void> {
    await this.ctx.storage.setAlarm(Date.now() + Number(this.env.SWEEP_MISSING_MINUTES) * 60_000)
  }

  /** The cron has not run for `SWEEP_MISSING_MINUTES`. Cloudflare calls it again if it throws. */
  override async alarm(): Promise<void> {
    const event = 'sweep_missing'
    const rule = RULES[event]
    if (rule) await this.#post(textOf({ event, lines: 1, last: { level: rule.level } }, rule))
  }

  #seen(event: string): Seen | null {
    const [row] = this.ctx.storage.sql.exec<{ seen: string }>('SELECT seen FROM seen WHERE event = ?', event).toArray()
    return row ? JSON.parse(row.seen) : null
  }

  #remember(event: string, seen: Seen): void {
    this.ctx.storage.sql.exec('INSERT OR REPLACE INTO seen (event, seen) VALUES (?, ?)', event, JSON.stringify(seen))
  }

  async #post(text: string): Promise<void> {
    const answer = await fetch(this.env.ALERT_URL, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text }),
      signal: AbortSignal.timeout(POST_TIMEOUT_MS),
    })
    await answer.body?.cancel()
    if (!answer.ok) throw new Error(`the webhook answered ${answer.status}`)
  }
}
