/**
 * D1 as the explorer has it: SQLite with the migrations, the statements and the triggers that ship. A state of it is what its
 * tables hold. A trip is the statements that were sent together: they run as one transaction, at a moment of the explorer's
 * clock. What a trip leads to is computed once for each state and moment, and remembered.
 */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { migrated } from '../migrations/migrated.ts'
import { Interned } from './components.ts'

export interface Statement {
  sql: string
  params: readonly SQLInputValue[]
}
export type Trip = readonly Statement[]

type Row = Record<string, unknown>

/** The answer to the caller of a trip: the rows of each statement and the bookmark, or the text of an error. */
export type TripAnswer = { rows: Row[][]; bookmark: string } | { error: string }

export interface Stored<Facts> {
  /** The rows of each table, as a text. */
  text: string
  /** How many trips have changed something. */
  commits: number
  /** The facts by which the space judges this state, and those of the states before it, by the number of commits. */
  facts: Facts
  history: readonly Facts[]
  /** How to come here from the first state. */
  log: readonly (readonly [trip: number, nowMs: number])[]
}

/** Writes the number of commits so that bookmarks sort as texts. */
export function bookmarkAt(commits: number): string {
  return String(commits).padStart(6, '0')
}

export class SqliteD1<Facts> {
  readonly trips = new Interned<Trip>()
  readonly answers = new Interned<TripAnswer>()
  /** How many trips were run, and not remembered. */
  ran = 0
  readonly #sqlite: DatabaseSync = migrated()
  readonly #tables: readonly string[]
  readonly #factsOf: (read: (sql: string) => Row[]) => Facts
  readonly #states: Stored<Facts>[] = []
  readonly #ids = new Map<string, number>()
  readonly #known = new Map<string, readonly [number, number]>()
  readonly #prepared = new Map<string, ReturnType<DatabaseSync['prepare']>>()
  #nowMs = 0
  /** The state that SQLite is in. */
  #at: number | null = null

  /** `tables` are those that make a state. `factsOf` reads from a state what the space judges it by. */
  constructor(
    tables: readonly string[],
    nowMs: number,
    setUp: (sqlite: DatabaseSync) => void,
    factsOf: (read: (sql: string) => Row[]) => Facts,
  ) {
    this.#tables = tables
    this.#factsOf = factsOf
    this.#nowMs = nowMs
    // Half a millisecond more: the statements cut off what follows the milliseconds.
    this.#sqlite.function('unixepoch', { varargs: true }, (...given: unknown[]) => {
      if (given.length !== 1 || given[0] !== 'subsec') throw new Error('a statement reads the clock in another way')
      return (this.#nowMs + 0.5) / 1_000
    })
    setUp(this.#sqlite)
    this.#stateId([], 0, [])
  }

  get size(): number {
    return this.#states.length
  }

  of(id: number): Stored<Facts> {
    return this.#states[id] as Stored<Facts>
  }

  /** Returns true if no statement of the trip can change anything. */
  isRead(trip: number): boolean {
    return this.trips.of(trip).every(({ sql }) => /^\s*select/i.test(sql))
  }

  /** Runs a trip in a state. Returns the state after it and the answer, by their numbers. */
  run(id: number, trip: number, nowMs: number): readonly [state: number, answer: number] {
    const key = `${id} ${trip} ${nowMs}`
    const known = this.#known.get(key)
    if (known) return known
    const { log, commits, history, facts } = this.of(id)
    this.ran++
    this.#goTo(id)
    let result: readonly [number, number]
    try {
      const before = this.#changes()
      const rows = this.#execute(trip, nowMs)
      const isChanged = this.#changes() !== before
      const after = isChanged ? this.#stateId([...log, [trip, nowMs]], commits + 1, [...history, facts]) : id
      result = [after, this.answers.id({ rows, bookmark: bookmarkAt(this.of(after).commits) })]
    } catch (error) {
      // Nothing of a trip that fails is kept.
      result = [id, this.answers.id({ error: `D1_ERROR: ${(error as Error).message}: ${codeOf(error)}` })]
    }
    this.#sqlite.exec('ROLLBACK TO trip')
    this.#known.set(key, result)
    return result
  }

  /** Runs work that goes on from a state and whose states are not kept. Nothing else may run meanwhile. */
  async onwards<Result>(
    id: number,
    work: (send: (statements: Trip, nowMs: number) => TripAnswer, rows: (sql: string) => Row[]) => Promise<Result>,
  ): Promise<Result> {
    this.#goTo(id)
    const send = (statements: Trip, nowMs: number) => ({
      rows: this.#executeAll(statements, nowMs),
      bookmark: bookmarkAt(0),
    })
    try {
      return await work(send, (sql) => this.#rows(sql))
    } finally {
      this.#sqlite.exec('ROLLBACK TO trip')
    }
  }

  /** Brings SQLite into a state: from the first one, unless it is there already. */
  #goTo(id: number): void {
    if (this.#at === id) return
    if (this.#at !== null) this.#sqlite.exec('ROLLBACK')
    this.#sqlite.exec('BEGIN')
    for (const [trip, atMs] of this.of(id).log) this.#execute(trip, atMs)
    this.#sqlite.exec('SAVEPOINT trip')
    this.#at = id
  }

  #execute(trip: number, nowMs: number): Row[][] {
    return this.#executeAll(this.trips.of(trip), nowMs)
  }

  #executeAll(statements: Trip, nowMs: number): Row[][] {
    this.#nowMs = nowMs
    return statements.map(({ sql, params }) => {
      let prepared = this.#prepared.get(sql)
      if (!prepared) {
        prepared = this.#sqlite.prepare(sql)
        this.#prepared.set(sql, prepared)
      }
      return prepared.all(...params) as Row[]
    })
  }

  #changes(): number {
    return Number((this.#rows('SELECT total_changes() AS changes')[0] as { changes: number }).changes)
  }

  #rows(sql: string): Row[] {
    return this.#sqlite.prepare(sql).all() as Row[]
  }

  #stateId(log: Stored<Facts>['log'], commits: number, history: readonly Facts[]): number {
    const text = JSON.stringify([this.#tables.map((table) => this.#rows(`SELECT * FROM ${table}`)), commits, history])
    const known = this.#ids.get(text)
    if (known !== undefined) return known
    this.#ids.set(text, this.#states.length)
    this.#states.push({ text, commits, history, log, facts: this.#factsOf((sql) => this.#rows(sql)) })
    return this.#states.length - 1
  }
}

function codeOf(error: unknown): string {
  const isRule =
    (error as { errcode?: number }).errcode !== undefined && ((error as { errcode: number }).errcode & 255) === 19
  return isRule ? 'SQLITE_CONSTRAINT' : 'SQLITE_ERROR'
}

/** Returns a D1 whose trips `send` takes, for code that ships. */
export function d1Over(send: (trip: Trip) => Promise<TripAnswer>): unknown {
  const open = () => {
    let bookmark: string | null = null
    const run = async (statements: readonly Statement[]): Promise<Row[][]> => {
      const answer = await send(statements)
      if ('error' in answer) throw new Error(answer.error)
      bookmark = answer.bookmark
      return answer.rows
    }
    const statement = (sql: string, params: readonly SQLInputValue[] = []) => {
      const all = async () => ({ results: (await run([{ sql, params }]))[0] as Row[], success: true, meta: {} })
      return {
        sql,
        params,
        bind: (...bound: SQLInputValue[]) => statement(sql, bound),
        all,
        run: all,
        raw: async () => (await all()).results.map((row) => Object.values(row)),
        first: async () => (await all()).results[0] ?? null,
      }
    }
    return {
      prepare: (sql: string) => statement(sql),
      getBookmark: () => bookmark,
      batch: async (statements: readonly Statement[]) =>
        (await run(statements.map(({ sql, params }) => ({ sql, params })))).map((results) => ({
          results,
          success: true,
          meta: { rows_read: 0, duration: 0 },
        })),
    }
  }
  return { ...open(), withSession: open }
}
