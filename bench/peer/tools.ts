/**
 * Finds PostgreSQL 15, Redis 7 and wrk, or takes them from Debian's packages: downloaded and unpacked into a folder of this
 * bench, so that nothing is installed, no service starts and root is not needed.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'

const PACKAGES = ['postgresql-15', 'redis-server', 'wrk']
const POSTGRES_BIN = 'usr/lib/postgresql/15/bin'
const LIBRARIES = ['usr/lib/x86_64-linux-gnu', 'usr/lib/aarch64-linux-gnu']

export interface Tools {
  initdb: string
  postgres: string
  redis: string
  wrk: string
  /** The environment that the programs need to find their libraries. */
  env: NodeJS.ProcessEnv
}

/** Returns the programs. Throws if they are missing and this machine does not have Debian's packages. */
export function findTools(): Tools {
  const folder = path.resolve('node_modules/.cache/peer-tools')
  const found = toolsIn(folder)
  if (found) return found
  download(folder)
  const unpacked = toolsIn(folder)
  if (unpacked) return unpacked
  throw new Error(`PostgreSQL 15, Redis 7 or wrk is missing: apt-get install ${PACKAGES.join(' ')}`)
}

function toolsIn(folder: string): Tools | null {
  const find = (names: string[]) => names.flatMap((name) => [`/${name}`, path.join(folder, name)]).find(existsSync)
  const initdb = find([`${POSTGRES_BIN}/initdb`])
  const postgres = find([`${POSTGRES_BIN}/postgres`])
  const redis = find(['usr/bin/redis-server', 'usr/local/bin/redis-server'])
  const wrk = find(['usr/bin/wrk', 'usr/local/bin/wrk'])
  if (!initdb || !postgres || !redis || !wrk) return null
  const libraries = LIBRARIES.map((name) => path.join(folder, name)).filter(existsSync)
  return { initdb, postgres, redis, wrk, env: { ...process.env, LD_LIBRARY_PATH: libraries.join(':') } }
}

/** Downloads the packages that this machine lacks, as apt itself would choose them. */
function download(folder: string): void {
  console.log(`downloading ${PACKAGES.join(', ')} from Debian into ${folder} …`)
  rmSync(folder, { recursive: true, force: true })
  const archives = path.join(folder, 'archives')
  mkdirSync(archives, { recursive: true })
  try {
    const plan = run('apt-get', ['-s', 'install', '--no-install-recommends', ...PACKAGES])
    const chosen = [...plan.matchAll(/^Inst (\S+)(?: \[[^\]]*\])? \((\S+)/gm)].map(
      ([, name, version]) => `${name}=${version}`,
    )
    run('apt-get', ['download', ...chosen], archives)
    for (const archive of readdirSync(archives)) run('dpkg-deb', ['-x', path.join(archives, archive), folder])
  } catch (error) {
    throw new Error(`install them with: apt-get update && apt-get install ${PACKAGES.join(' ')}`, { cause: error })
  }
}

function run(command: string, args: string[], cwd = '.'): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}
