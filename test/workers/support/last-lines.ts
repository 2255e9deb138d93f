/**
 * Runs before each test file. A gate logs changes up to a second after they were made, when the file may have ended, and vitest fails a
 * run in which a line comes while it closes a file. What comes behind the end of a file is left out.
 */
import { afterAll } from 'vitest'

/** Files share a console where they share a runtime. */
const shared = console as Console & { isBehindEnd?: boolean }

if (shared.isBehindEnd === undefined) {
  const { info } = shared
  shared.info = (...line) => {
    if (!shared.isBehindEnd) info(...line)
  }
}
shared.isBehindEnd = false
afterAll(() => {
  shared.isBehindEnd = true
})
