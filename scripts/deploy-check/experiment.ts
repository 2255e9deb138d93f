/** Defines an experiment: it runs against a real account, and rules judge its observation and nothing else. */

/**
 * `expected`: as Roster relies on. `harmless`: different, and nothing of Roster breaks. `different`: something has to
 * change.
 * `unclear`: it failed, or the observation proves nothing.
 */
export type Verdict = 'expected' | 'harmless' | 'different' | 'unclear'

export interface Judgement {
  verdict: Verdict
  /** The observation, short enough for a cell of a table. */
  seen: string
}

/** A file of this repository, and a text in it that has to change. */
export interface Place {
  file: string
  text: string
}

export interface Check<Seen> {
  name: string
  /** The behaviour that Roster relies on, short enough for a cell of a table. */
  expected: string
  /** The meaning of a difference for Roster. */
  meaning: string
  /** The meaning of a harmless difference; `meaning` if absent. */
  harmless?: string
  /** The places in Roster to change if Cloudflare behaves in another way. */
  change: Place[]
  judge(seen: Seen): Judgement
}

export interface Experiment<Seen> {
  /** Stays the same for good: `--only 4` means it. */
  number: number
  title: string
  budgetMs: number
  run(context: Context): Promise<Seen>
  checks: Check<Seen>[]
}

/** An experiment whose observation only its own checks know. */
// biome-ignore lint/suspicious/noExplicitAny: observations differ, and each is judged by the checks beside it
export type AnyExperiment = Experiment<any>

/** Returns the experiment; only so that its checks know the type of its observation. */
export function experiment<Seen>(definition: Experiment<Seen>): Experiment<Seen> {
  return definition
}

export interface Database {
  uuid: string
  name: string
  running_in_region?: string
  created_in_region?: string
  jurisdiction?: string | null
}

/** Calls of Cloudflare's REST API. Each throws with Cloudflare's own text and code if it is refused. */
export interface Account {
  database(nameOrId: string): Promise<Database | null>
  databases(): Promise<Database[]>
  query(databaseId: string, sql: string): Promise<unknown>
  bookmark(databaseId: string): Promise<string>
  restore(databaseId: string, bookmark: string): Promise<{ bookmark?: string; previous_bookmark?: string }>
}

export type CodeUpdate = { mode: 'immediate' } | { mode: 'deferred'; max_delay: number }

/** The services of an experiment. Everything that they create is removed after the last experiment. */
export interface Context {
  /** Aborted when the time of the experiment is over, or the run is interrupted. */
  signal: AbortSignal
  account: Account
  /** The D1 that the probe Worker is bound to. */
  databaseId: string
  /** The URL of the probe Worker, and the token that it requires. */
  probeUrl: string
  token: string
  /** Calls an endpoint of the probe Worker. Throws if it does not answer 200. */
  probe<Answer>(endpoint: string, body: object): Promise<Answer>
  createDatabase(suffix: string, where?: { jurisdiction: string }): Promise<Database>
  /** The migrations of this repository, in their order. */
  migrations(): { file: string; sql: string }[]
  /** Applies them as `npm run deploy` does. Throws with wrangler's text if that fails. */
  applyMigrations(database: Database): Promise<void>
  /** Deploys the probe Worker anew. Throws with wrangler's text if that fails. */
  deployProbe(version: string, codeUpdate: CodeUpdate): Promise<void>
  /** Deploys a Worker that counts in Analytics Engine, and is never called. Returns wrangler's exit code and text. */
  deployCounting(): Promise<{ code: number | null; output: string }>
  /**
   * Keeps `wrangler tail` connected to the probe Worker for so long. Returns whether it connected, and wrangler's text.
   */
  tail(durationMs: number): Promise<{ connected: boolean; output: string }>
  sleep(ms: number): Promise<void>
}

/** Returns the result of a call, or its error as text. */
export async function attempt(call: () => Promise<unknown>): Promise<string | null> {
  try {
    await call()
    return null
  } catch (error) {
    return textOf(error)
  }
}

/** Returns the message of an error, with the reason below it: `fetch failed` says nothing. */
export function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message
}

const CELL_CHARACTERS = 90

/** Returns the text on one line, cut to fit a cell. */
export function short(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length <= CELL_CHARACTERS ? line : `${line.slice(0, CELL_CHARACTERS - 1)}…`
}
