/**
 * Gathers the changes of a gate into lines of the log. A line costs more CPU time than the rest of the gate's work on a change, and
 * is billed. So the first change after a quiet second is logged at once, and those of the second behind it share a line.
 */
import type { LoggedChange } from './deps.ts'

const GATHERED_FOR_MS = 1_000
/** A line has some 130 bytes for each change, and the runtime cuts long ones. */
const LINE_CHANGES_MAX = 56

export class ChangeLines {
  readonly #write: (changes: readonly LoggedChange[]) => void
  readonly #sleep: (ms: number) => Promise<unknown>
  #gathered: LoggedChange[] = []
  #isGathering = false

  /** `write` logs one line. */
  constructor(write: (changes: readonly LoggedChange[]) => void, sleep: (ms: number) => Promise<unknown>) {
    this.#write = write
    this.#sleep = sleep
  }

  add(changes: readonly LoggedChange[]): void {
    this.#gathered.push(...changes)
    if (!this.#isGathering) this.#writeAndGather()
    else if (this.#gathered.length >= LINE_CHANGES_MAX) this.#writeAll()
  }

  #writeAndGather(): void {
    this.#isGathering = this.#gathered.length > 0
    if (!this.#isGathering) return
    this.#writeAll()
    void this.#sleep(GATHERED_FOR_MS).then(() => this.#writeAndGather())
  }

  #writeAll(): void {
    for (let at = 0; at < this.#gathered.length; at += LINE_CHANGES_MAX) {
      this.#write(this.#gathered.slice(at, at + LINE_CHANGES_MAX))
    }
    this.#gathered = []
  }
}
