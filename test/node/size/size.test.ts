/** Bounds the work before the first request: the size of the bundle, and the function calls of a start. */
import { expect, it } from 'vitest'
import { measureBundle } from '../../../bench/size.ts'

const GZIP_KIB_MAX = 285
/** A start that made 12,293 calls took 35 ms of CPU, most of them to compile the bundle. Cloudflare refuses a Worker whose start takes a second. */
const START_CALLS_MAX = 13_500

it(`deploys a bundle under ${GZIP_KIB_MAX} KiB gzipped, which starts in fewer than ${START_CALLS_MAX} function calls`, () => {
  const { gzipKib, startCalls } = measureBundle()
  expect(gzipKib).toBeGreaterThan(50)
  expect(gzipKib).toBeLessThan(GZIP_KIB_MAX)
  expect(startCalls).toBeGreaterThan(1_000)
  expect(startCalls).toBeLessThan(START_CALLS_MAX)
})
