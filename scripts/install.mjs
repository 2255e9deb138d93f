/**
 * Runs before `npm start` and `npm test`, on the installed Node (18 or newer): installs what the lock file names, once
 * for each state of the lock file.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

const MARK = 'node_modules/.roster-installed'
const wanted = createHash('sha256').update(readFileSync('package-lock.json')).digest('hex')

if (!existsSync(MARK) || readFileSync(MARK, 'utf8') !== wanted) {
  // Not `npm ci`: a lock file made where the registry has only one platform's binaries is incomplete to it.
  const install = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']
  run('npm', install, 'Installing the packages of package-lock.json …')
  writeFileSync(MARK, wanted)
}

function run(command, args, message) {
  process.stdout.write(`${message} `)
  const startMs = Date.now()
  const { status } = spawnSync(command, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    shell: process.platform === 'win32',
  })
  console.log(`${((Date.now() - startMs) / 1_000).toFixed(1)} s`)
  if (status === 0) return
  console.error(`\n\`${command} ${args.join(' ')}\` failed. It needs the npm registry; see the lines above.`)
  process.exit(status ?? 1)
}
