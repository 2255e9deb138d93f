/**
 * Prepares what is served as files. Wrangler runs this before it serves or deploys (see wrangler.toml). Copies the
 * reference page's script from node_modules to `public/`, so that a reader's browser loads nothing from another host, and
 * forgets the keys of the demo tenant, which only `npm start` gives to the page. Builds the console if it has changed.
 */
import { copyFileSync, statSync } from 'node:fs'
import { buildConsole } from './console.mjs'
import { prepareDemoKeys } from './demo-keys.mjs'

const SCRIPT = 'node_modules/openapi-explorer/dist/browser/openapi-explorer.min.js'
const SERVED = 'public/openapi-explorer.js'

if (!isSame(statSync(SCRIPT), statSync(SERVED, { throwIfNoEntry: false }))) copyFileSync(SCRIPT, SERVED)
prepareDemoKeys(process.env.ROSTER_DEMO === 'true')
await buildConsole()

/** Returns true if `to` is a copy of `from`: it has the same size and is newer. */
function isSame(from, to) {
  return to !== undefined && to.size === from.size && to.mtimeMs >= from.mtimeMs
}
