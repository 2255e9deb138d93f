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
const ROUNDS = 5
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

export function measureSize(rounds = ROUNDS): SizeFigures {
  const folder = mkdtempSync(path.join(tmpdir(), 'roster-size-'))
  try {
    wrangler('deploy', '--dry-run', '--outdir', folder)
    const bundle = readFileSync(path.join(folder, 'index.js'))
    const startupsMs = Array.from({ length: rounds }, () => {
      const outfile = path.join(folder, 'startup.cpuprofile')
      wrangler('check', 'startup', '--outfile', outfile)
      return cpuMsOf(JSON.parse(readFileSync(outfile, 'utf8')) as CpuProfile)
    })
    return { bundleGzipKib: gzipSync(bundle).length / 1024, startupCpuMs: Math.min(...startupsMs) }
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
