/** Databases whose caller dies at each different trip twice: once before it has an effect, once before it hears of it. */
import { type Sent, withTrips } from '../support/d1-trips.ts'

export interface Killable {
  databases: D1Database[]
  /** Begins the next run, whose trips count as different from those of another name. */
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

  async function trip<T>(number: number, sent: readonly Sent[], send: () => Promise<T>): Promise<T> {
    if (isDead) throw new Error('dead')
    const name = [run, number, ...sent.map(({ sql }) => sql)].join('\n')
    const died = deaths.get(name) ?? 0
    if (died === 2) return send()
    deaths.set(name, died + 1)
    count++
    isDead = true
    if (died === 1) await send()
    throw new Error('killed')
  }

  function wrapped(db: D1Database, number: number): D1Database {
    const through = (session: D1DatabaseSession) => withTrips(session, (send, sent) => trip(number, sent, send))
    const direct = through(db as unknown as D1DatabaseSession)
    return {
      prepare: direct.prepare,
      batch: direct.batch,
      withSession: (start?: string) => through(db.withSession(start)),
    } as unknown as D1Database
  }

  return {
    databases: originals.map(wrapped),
    revive(name) {
      run = name
      isDead = false
    },
    isDead: () => isDead,
    count: () => count,
  }
}
