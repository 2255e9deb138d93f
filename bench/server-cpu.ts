/** The CPU time of the server of a bench: workerd, and the Node process that started it and reads its logs. */
import { readdirSync, readFileSync } from 'node:fs'

/** Linux counts CPU time in hundredths of a second. */
const TICK_MS = 10

/** Returns the CPU time in milliseconds that the server has used so far. */
export function serverCpuMs(): number {
  const { user, system } = process.cpuUsage()
  return workerdTicks() * TICK_MS + (user + system) / 1_000
}

function workerdTicks(): number {
  let ticks = 0
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    const [name, parent, used] = statOf(pid)
    if (name === 'workerd' && parent === process.pid) ticks += used
  }
  return ticks
}

/** Returns the name of a process, its parent and the ticks that it has used. A process may end meanwhile. */
function statOf(pid: string): [name: string, parent: number, ticks: number] {
  try {
    const [, name = '', after = ''] = /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    const fields = after.split(' ')
    return [name, Number(fields[1]), Number(fields[11]) + Number(fields[12])]
  } catch {
    return ['', 0, 0]
  }
}
