/**
 * Gathers the changes of a gate into lines of the log. A line costs CPU time and is billed, however little it says. So the first
 * change after a quiet second is logged at once, and those of the second behind it share a line.
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
  }

  #writeAndGather(): void {
    const changes = this.#gathered
    this.#gathered = []
    this.#isGathering = changes.length > 0
    if (!this.#isGathering) return
    for (let at = 0; at < changes.length; at += LINE_CHANGES_MAX) this.#write(changes.slice(at, at + LINE_CHANGES_MAX))
    void this.#sleep(GATHERED_FOR_MS).then(() => this.#writeAndGather())
  }
}
