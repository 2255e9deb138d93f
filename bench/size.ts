/**
 * What a deployment weighs and what its start costs: the gzipped bundle that Wrangler uploads, and the CPU time of
 * `wrangler check startup`. `npm run bench` prints both, `test/size/size.test.ts` guards them.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'

/** The profiler's samples are of the clock on the wall: the best of several is the one nobody else disturbed. */
const ROUNDS = { roundsMax: 5, enoughMs: 0 }
const WRANGLER = path.resolve('node_modules/wrangler/bin/wrangler.js')

export interface SizeFigures {
  bundleGzipKib: number
  startupCpuMs: number
}

interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string } }[]
  samples: number[]
  timeDeltas: number[]
}

/** Starts until one took less than `enoughMs`, and no more than `roundsMax` times. */
export function measureSize({ roundsMax, enoughMs } = ROUNDS): SizeFigures {
  const folder = mkdtempSync(path.join(tmpdir(), 'roster-size-'))
  try {
    wrangler('deploy', '--dry-run', '--outdir', folder)
    const bundle = readFileSync(path.join(folder, 'index.js'))
    const outfile = path.join(folder, 'startup.cpuprofile')
    let startupCpuMs = Number.POSITIVE_INFINITY
    for (let round = 0; round < roundsMax && startupCpuMs >= enoughMs; round++) {
      wrangler('check', 'startup', '--outfile', outfile)
      startupCpuMs = Math.min(startupCpuMs, cpuMsOf(JSON.parse(readFileSync(outfile, 'utf8')) as CpuProfile))
    }
    return { bundleGzipKib: gzipSync(bundle).length / 1024, startupCpuMs }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** All that was sampled, but for the time in which nothing ran. */
function cpuMsOf({ nodes, samples, timeDeltas }: CpuProfile): number {
  const idle = new Set(nodes.filter(({ callFrame }) => callFrame.functionName === '(idle)').map(({ id }) => id))
  const busyUs = samples.reduce((sumUs, id, at) => sumUs + (idle.has(id) ? 0 : (timeDeltas[at] ?? 0)), 0)
  return busyUs / 1000
}

function wrangler(...args: string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, [WRANGLER, ...args], {
    encoding: 'utf8',
    env: { ...process.env, CI: '1' },
  })
  if (status !== 0) throw new Error(`wrangler ${args.join(' ')} failed: ${stdout}${stderr}`)
}
