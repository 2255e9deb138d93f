/** What Cloudflare has to load before the first request: a bundle that stays small and a start that stays short. */
import { describe, expect, it } from 'vitest'
import { measureSize } from '../../bench/size.ts'

const GZIP_KIB_MAX = 250
const STARTUP_CPU_MS_MAX = 50

describe('a deployment', () => {
  it(`is a bundle under ${GZIP_KIB_MAX} KiB gzipped and starts within ${STARTUP_CPU_MS_MAX} ms of CPU`, () => {
    const { bundleGzipKib, startupCpuMs } = measureSize({ roundsMax: 15, enoughMs: STARTUP_CPU_MS_MAX })
    expect(bundleGzipKib).toBeGreaterThan(50)
    expect(bundleGzipKib).toBeLessThan(GZIP_KIB_MAX)
    expect(startupCpuMs).toBeGreaterThan(1)
    expect(startupCpuMs).toBeLessThan(STARTUP_CPU_MS_MAX)
  })
})
