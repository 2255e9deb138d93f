/**
 * Turns the output of `wrangler dev` into what a reader of `npm start` needs: the lines that Roster logs, in the form of
 * `npm run tail`, and what wrangler reports about a build. The rest is about wrangler itself. Pure; `start.mjs` runs the
 * process and prints.
 */
import { stripVTControlCharacters } from 'node:util'
import { plainText } from '../src/shared/shown-text.ts'
import { linesOf } from './tail-lines.ts'

/** A message of wrangler begins so. The indented and the empty lines behind it belong to it. */
const HEADING = /^(?:▲ \[WARNING\]|✘ \[ERROR\])\s*/
/**
 * The lines that are not for the reader: `npm start` runs the cron itself, an unread body is no fault of a caller, and the rest is
 * progress.
 */
const NOT_FOR_THE_READER = [
  /^Scheduled Workers are not automatically triggered/,
  /^Failed to drain the unused request body/,
  /^\[(?:custom build|wrangler:info|wrangler:inf)\]/,
  /^(?:⎔|⛅️|─+$|❓ Your types|Using secrets|Your Worker has access|Binding\s|env\.)/,
]

/** Receives the text of both streams as it comes, and calls `onLine` for each line to print. */
export class LocalLog {
  readonly #onLine: (line: string) => void
  readonly #clock: () => number
  readonly #colours: boolean
  /** False while the demo tenant is made: its lines would stand between the stages of the start. */
  #isOpen = false
  #rest = ''
  /** True within a message that is not for the reader. */
  #isSkipping = false

  constructor(onLine: (line: string) => void, { clock, colours }: { clock: () => number; colours: boolean }) {
    this.#onLine = onLine
    this.#clock = clock
    this.#colours = colours
  }

  /** Shows the lines of level info from now on. */
  open(): void {
    this.#isOpen = true
  }

  push(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#line(stripVTControlCharacters(line).trimEnd())
  }

  #line(line: string): void {
    if (line === '') return
    const isPartOfMessage = /^\s/.test(line)
    if (isPartOfMessage && this.#isSkipping) return
    const text = line.replace(HEADING, '').trimStart()
    this.#isSkipping = NOT_FOR_THE_READER.some((pattern) => pattern.test(text))
    if (this.#isSkipping) return
    const level = line.startsWith('✘') ? 'error' : line.startsWith('▲') ? 'warn' : 'log'
    if (!text.startsWith('{"level":')) {
      this.#onLine(plainText(line))
      return
    }
    if (!this.#isOpen && text.startsWith('{"level":"info"')) return
    const atMs = this.#clock()
    const logs = [{ timestamp: atMs, level, message: text }]
    for (const shown of linesOf({ eventTimestamp: atMs, logs }, { colours: this.#colours })) this.#onLine(shown)
  }
}
