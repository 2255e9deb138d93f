/**
 * Runs before `npm start` and `npm test`, on whatever Node is there (18 or newer): installs what the lock file names, once
 * for each state of the lock file, and generates the types of the bindings.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

const MARK = 'node_modules/.roster-installed'
const wanted = createHash('sha256')
  .update(readFileSync('package-lock.json'))
  .update(readFileSync('wrangler.toml'))
  .digest('hex')

if (!existsSync(MARK) || readFileSync(MARK, 'utf8') !== wanted) {
  // Not `npm ci`: a lock file made where the registry has only one platform's binaries is incomplete to it.
  const install = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']
  run('npm', install, 'Installing the packages of package-lock.json …')
  // Inside `npm run` the Node of node_modules/.bin is first on PATH: wrangler needs a newer one than the system may have.
  run('npm', ['run', '--silent', 'types'], 'Generating the types of the bindings …')
  writeFileSync(MARK, wanted)
}

function run(command, args, message) {
  console.log(message)
  const { status } = spawnSync(command, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (status === 0) return
  console.error(`\n\`${command} ${args.join(' ')}\` failed. It needs the npm registry; see the lines above.`)
  process.exit(status ?? 1)
}
