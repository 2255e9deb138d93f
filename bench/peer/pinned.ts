/** Runs each of the two servers as a process tree on one core, and counts the CPU time of the whole tree. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The two servers share a core and take turns; the load comes from the other one. */
const SERVER_CORE = '0'
export const LOAD_CORE = '1'
/** Linux counts CPU time in these. */
const TICK_US = 10_000

/** A server that answers, and the keys of its two tenants. */
export interface Ready {
  origin: string
  /** The key of a tenant whose limit is never reached. */
  openKey: string
  /** The key of a tenant that may send one request a second. */
  limitedKey: string
  /** The Worker that calls the local simulators and does nothing else. Null for the server without any. */
  floorOrigin: string | null
}

export interface Pinned extends Ready {
  /** Returns the CPU time of all its processes so far, in microseconds. */
  cpuUs(): number
  /** Sends it a message; `served.ts` says which there are. */
  send(message: object): void
  stop(): Promise<void>
}

/** Starts one of the two servers on its core. Throws if it does not start. */
export async function startPinned(name: 'peer' | 'roster'): Promise<Pinned> {
  const module = fileURLToPath(new URL('./served.ts', import.meta.url))
  const child = fork(module, [name], { execPath: 'taskset', execArgv: ['-c', SERVER_CORE, process.execPath] })
  const ready = await Promise.race([
    once(child, 'message').then(([message]) => message as Ready),
    once(child, 'exit').then(() => Promise.reject(new Error(`the server ${name} did not start`))),
  ])
  return { ...ready, cpuUs: () => cpuUsOf(child), send: (message) => void child.send(message), stop: () => stop(child) }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const ended = once(child, 'exit')
  child.disconnect()
  await ended
}

function cpuUsOf({ pid = 0 }: ChildProcess): number {
  return ticksOfTree(allProcesses(), pid) * TICK_US
}

/** Returns the processes of this machine. */
export function allProcesses(): ProcessStat[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => statOf(name))
}

/** A process: its id, that of its parent, and the CPU time of it and of its children that have ended. */
export interface ProcessStat {
  pid: number
  parent: number
  ticks: number
}

function statOf(name: string): ProcessStat[] {
  try {
    return [processStat(readFileSync(`/proc/${name}/stat`, 'utf8'))]
  } catch {
    // It has ended meanwhile.
    return []
  }
}

/** Reads a line of /proc/PID/stat. The name in brackets may have spaces and brackets. */
export function processStat(line: string): ProcessStat {
  const fields = line
    .slice(line.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  const [, parent = 0] = fields
  const ticks = fields.slice(11, 15).reduce((sum, each) => sum + each, 0)
  return { pid: Number.parseInt(line, 10), parent, ticks }
}

/** Returns the CPU time of a process and of all below it. */
export function ticksOfTree(stats: readonly ProcessStat[], root: number): number {
  const own = stats.find(({ pid }) => pid === root)?.ticks ?? 0
  return stats.filter(({ parent }) => parent === root).reduce((sum, { pid }) => sum + ticksOfTree(stats, pid), own)
}
