/**
 * Puts what is served from packages beside the files of `public/`: the script of the reference page, from node_modules, so
 * that no reader's browser asks anyone else for it. Wrangler runs it before it serves or deploys (see wrangler.toml).
 */
import { copyFileSync, statSync } from 'node:fs'

const COPIES = [['node_modules/@scalar/api-reference/dist/browser/standalone.js', 'public/scalar.js']]

for (const [from, to] of COPIES) {
  if (!isSame(statSync(from), statSync(to, { throwIfNoEntry: false }))) copyFileSync(from, to)
}

/** A copy is newer than what it was made of. */
function isSame(from, to) {
  return to !== undefined && to.size === from.size && to.mtimeMs >= from.mtimeMs
}
