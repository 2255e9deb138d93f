/** Starts PostgreSQL and Redis in a folder that is deleted when they end. Both listen at Unix sockets there, and at no port. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { allProcesses } from './pinned.ts'
import { findTools } from './tools.ts'

/** PostgreSQL refuses to run as root. This user and group exist everywhere. */
const NOBODY = 65_534
const START_MS_MAX = 20_000

/**
 * Settings beyond PostgreSQL's own that a team would make for one core: its defaults are for a machine of 20 years ago. A commit is
 * flushed before it is answered, as by default.
 */
const POSTGRES_SETTINGS = [
  'shared_buffers=512MB',
  'effective_cache_size=1GB',
  'max_wal_size=4GB',
  'checkpoint_timeout=15min',
  'wal_compression=lz4',
  'random_page_cost=1.1',
  'jit=off',
  'max_parallel_workers_per_gather=0',
  'max_connections=40',
  'listen_addresses=',
  // Shared memory that is a file of the folder, so that nothing is left of a run that was broken off.
  'dynamic_shared_memory_type=mmap',
]

export interface Stores {
  /** The folder of PostgreSQL's socket. */
  postgresFolder: string
  redisSocket: string
  /** Stops all processes of PostgreSQL, and lets them go on after so many milliseconds. */
  freezePostgres(ms: number): Promise<void>
  stop(): Promise<void>
}

/** Makes an empty database and starts both. Throws if one does not start within 20 seconds. */
export async function startStores(): Promise<Stores> {
  const { initdb, postgres, redis, env } = findTools()
  const folder = mkdtempSync(path.join(tmpdir(), 'peer-'))
  chmodSync(folder, 0o755)
  const data = path.join(folder, 'data')
  mkdirSync(data, { mode: 0o700 })
  const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
  if (user.uid !== undefined) for (const each of [folder, data]) chownSync(each, user.uid, user.gid)
  execFileSync(initdb, ['-D', data, '-U', 'peer', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'], {
    env,
    stdio: 'ignore',
    ...user,
  })
  const settings = [...POSTGRES_SETTINGS, `unix_socket_directories=${folder}`].flatMap((setting) => ['-c', setting])
  const redisSocket = path.join(folder, 'redis.sock')
  const redisArgs = ['--port', '0', '--unixsocket', redisSocket, '--save', '', '--appendonly', 'no', '--dir', folder]
  const children = [
    spawn(postgres, ['-D', data, ...settings], { env, stdio: 'ignore', ...user }),
    spawn(redis, redisArgs, { env, stdio: 'ignore' }),
  ]
  const abandon = () => {
    for (const child of children) child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', abandon)
  const status = path.join(data, 'postmaster.pid')
  // The last line of this file is PostgreSQL's state.
  await until(() => existsSync(status) && readFileSync(status, 'utf8').includes('ready'), children)
  await until(() => existsSync(redisSocket), children)
  return {
    postgresFolder: folder,
    redisSocket,
    async freezePostgres(ms) {
      const postmaster = children[0]?.pid
      const frozen = allProcesses().filter(({ pid, parent }) => [pid, parent].includes(postmaster ?? -1))
      for (const { pid } of frozen) process.kill(pid, 'SIGSTOP')
      await pause(ms)
      for (const { pid } of frozen) process.kill(pid, 'SIGCONT')
    },
    async stop() {
      for (const child of children) {
        if (child.exitCode !== null) continue
        // SIGINT: PostgreSQL ends without waiting for its clients.
        child.kill('SIGINT')
        await once(child, 'exit')
      }
      process.off('exit', abandon)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function until(isSo: () => boolean, children: readonly ChildProcess[]): Promise<void> {
  const untilMs = Date.now() + START_MS_MAX
  while (!isSo()) {
    if (children.some(({ exitCode }) => exitCode !== null)) throw new Error('PostgreSQL or Redis ended at its start')
    if (Date.now() > untilMs) throw new Error('PostgreSQL or Redis did not start')
    await pause(20)
  }
}
