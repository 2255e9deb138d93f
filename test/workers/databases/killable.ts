/** Databases whose caller dies at each different statement twice: once before it has an effect, once before it hears of it. */

export interface Killable {
  databases: D1Database[]
  /** Begins the next run, whose statements count as different from those of another name. */
  revive(name: string): void
  /** Whether the run was killed. */
  isDead(): boolean
  count(): number
}

export function killable(originals: readonly D1Database[]): Killable {
  const deaths = new Map<string, number>()
  let count = 0
  let isDead = false
  let run = ''

  async function trip<T>(number: number, texts: string[], send: () => Promise<T>): Promise<T> {
    if (isDead) throw new Error('dead')
    const statement = [run, number, ...texts].join('\n')
    const died = deaths.get(statement) ?? 0
    if (died === 2) return send()
    deaths.set(statement, died + 1)
    count++
    isDead = true
    if (died === 1) await send()
    throw new Error('killed')
  }

  function wrapped<T extends D1Database | D1DatabaseSession>(real: T, number: number): T {
    const behind = new WeakMap<object, { statement: D1PreparedStatement; sql: string }>()
    const wrap = (statement: D1PreparedStatement, sql: string): D1PreparedStatement => {
      const fake = {
        bind: (...values: unknown[]) => wrap(statement.bind(...values), sql),
        run: () => trip(number, [sql], () => statement.run()),
        all: () => trip(number, [sql], () => statement.all()),
        raw: (options: { columnNames?: false }) => trip(number, [sql], () => statement.raw(options)),
        first: (column: string) => trip(number, [sql], () => statement.first(column)),
      } as unknown as D1PreparedStatement
      behind.set(fake, { statement, sql })
      return fake
    }
    const replaced: Record<string, unknown> = {
      prepare: (sql: string) => wrap(real.prepare(sql), sql),
      batch: (statements: D1PreparedStatement[]) => {
        const known = statements.map((one) => behind.get(one) as { statement: D1PreparedStatement; sql: string })
        const send = () => real.batch(known.map(({ statement }) => statement))
        return trip(
          number,
          known.map(({ sql }) => sql),
          send,
        )
      },
      ...('withSession' in real && {
        withSession: (start?: string) => wrapped((real as D1Database).withSession(start), number),
      }),
      ...('getBookmark' in real && { getBookmark: () => real.getBookmark() }),
    }
    return replaced as unknown as T
  }

  return {
    databases: originals.map((db, number) => wrapped(db, number)),
    revive(name) {
      run = name
      isDead = false
    },
    isDead: () => isDead,
    count: () => count,
  }
}
