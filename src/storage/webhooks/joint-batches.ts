/**
 * Runs the batches of one invocation that come at the same time in one trip, as one transaction: D1 does one after the other
 * anyway, and most of what a small batch costs is its trip. A fault in one of them is none of the others.
 */
import type { BatchItem } from 'drizzle-orm/batch'
import { classifyD1Error, isStatementFault } from '../d1-errors.ts'
import type { Database } from '../database.ts'

export type Statements = readonly BatchItem<'sqlite'>[]

/** Statements of one transaction: D1 does nothing else meanwhile. */
const STATEMENTS_MAX = 20

interface Waiting {
  statements: Statements
  resolve(answers: unknown[]): void
  reject(error: unknown): void
}

export class JointBatches {
  readonly #db: Pick<Database, 'batch'>
  #waiting: Waiting[] = []
  #isRunning = false

  constructor(db: Pick<Database, 'batch'>) {
    this.#db = db
  }

  /** Runs the statements as one transaction, maybe with others. Returns the answers to these. */
  run(statements: Statements): Promise<unknown[]> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown[]>()
    this.#waiting.push({ statements, resolve, reject })
    void this.#run()
    return promise
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return
    this.#isRunning = true
    // Those that come at the same moment take the same trip.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      let count = 0
      let taken = 0
      for (const { statements } of this.#waiting) {
        if (taken > 0 && count + statements.length > STATEMENTS_MAX) break
        count += statements.length
        taken++
      }
      await this.#together(this.#waiting.splice(0, taken))
    }
    this.#isRunning = false
  }

  /** Never rejects. */
  async #together(batches: readonly Waiting[]): Promise<void> {
    try {
      const answers = await this.#send(batches.flatMap(({ statements }) => statements))
      for (const { statements, resolve } of batches) resolve(answers.splice(0, statements.length))
    } catch (error) {
      if (batches.length > 1 && isStatementFault(classifyD1Error(error))) {
        for (const batch of batches) await this.#together([batch])
        return
      }
      for (const { reject } of batches) reject(error)
    }
  }

  async #send(statements: Statements): Promise<unknown[]> {
    return [...(await this.#db.batch(statements as [BatchItem<'sqlite'>, ...BatchItem<'sqlite'>[]]))]
  }
}
