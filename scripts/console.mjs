/**
 * Builds the console into `public/console` if what it is built from has changed since the last build. Wrangler runs this,
 * through `assets.mjs`, before it serves or deploys; the tests of the console run it too.
 */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fingerprintOf } from './fingerprint.mjs'

const FOLDER = 'console'
const PAGE = 'public/console/index.html'
/** Files and folders that a build depends on beside the console's own: the rules that it shares with the Worker and the commands. */
const OTHERS = [
  'package-lock.json',
  'scripts/import-file.ts',
  'scripts/import-upload.ts',
  'src/events/catalogue.ts',
  'src/formats/files',
  'src/registry',
  'src/shared',
  'src/tenants',
  'src/validation',
]

/** Builds, unless that has been done already: the page of a build names what it was built from. Returns true if it built. Throws what Vite says if it cannot. */
export async function buildConsole() {
  const wanted = fingerprintOf([FOLDER, ...OTHERS])
  if (existsSync(PAGE) && readFileSync(PAGE, 'utf8').includes(`content="${wanted}"`)) return false
  // Where it is set to something else, as in tests, Vite would build React for development.
  process.env.NODE_ENV = 'production'
  process.env.CONSOLE_BUILD = wanted
  const { build } = await import('vite')
  await build({ configFile: path.resolve(FOLDER, 'vite.config.ts'), logLevel: 'warn' })
  return true
}
