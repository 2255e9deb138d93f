/**
 * Measures the size and the start of a deployment: the gzipped bundle that Wrangler uploads, the function calls of its
 * start, and the CPU time of `wrangler check startup`. `npm run bench` prints them; `test/node/size/size.test.ts`
 * guards the two that are the same on every machine.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'

/** The profiler samples wall-clock time, so the shortest of several rounds is the least disturbed one. */
const ROUNDS = 5
const WRANGLER = path.resolve('node_modules/wrangler/bin/wrangler.js')

interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string } }[]
  samples: number[]
  timeDeltas: number[]
}

/** Builds the bundle as a deployment does. Both figures depend on the source alone. */
export function measureBundle(): { gzipKib: number; startCalls: number } {
  return inFolder((folder) => {
    wrangler('deploy', '--dry-run', '--outdir', folder)
    const bundle = path.join(folder, 'index.js')
    const startCalls = Number(node(path.resolve('bench/start-calls.ts'), bundle))
    return { gzipKib: gzipSync(readFileSync(bundle)).length / 1024, startCalls }
  })
}

/** Returns the CPU time of a start in milliseconds. It depends on the machine and on what else runs there. */
export function measureStartMs(): number {
  return inFolder((folder) => {
    const outfile = path.join(folder, 'startup.cpuprofile')
    const rounds = Array.from({ length: ROUNDS }, () => {
      wrangler('check', 'startup', '--outfile', outfile)
      return cpuMsOf(JSON.parse(readFileSync(outfile, 'utf8')) as CpuProfile)
    })
    return Math.min(...rounds)
  })
}

function inFolder<Figure>(measure: (folder: string) => Figure): Figure {
  const folder = mkdtempSync(path.join(tmpdir(), 'roster-size-'))
  try {
    return measure(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Returns the sum of all samples in milliseconds, without the time in which nothing ran. */
function cpuMsOf({ nodes, samples, timeDeltas }: CpuProfile): number {
  const idle = new Set(nodes.filter(({ callFrame }) => callFrame.functionName === '(idle)').map(({ id }) => id))
  const busyUs = samples.reduce((sumUs, id, at) => sumUs + (idle.has(id) ? 0 : (timeDeltas[at] ?? 0)), 0)
  return busyUs / 1000
}

function wrangler(...args: string[]): void {
  node(WRANGLER, ...args)
}

/** Returns what the script printed. Throws with its output if it failed. */
function node(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    env: { ...process.env, CI: '1' },
  })
  if (status !== 0) throw new Error(`${args.join(' ')} failed: ${stdout}${stderr}`)
  return stdout
}
