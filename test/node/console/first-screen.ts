/**
 * `npm run bench:console`: prints how long the console takes to be usable, signed in: from the start of the navigation until what
 * the person came for is there. Warm is a browser that has been there before. Medians of several loads.
 */
import { performance } from 'node:perf_hooks'
import type { Page } from 'playwright-core'
import { consoleAt } from '../support/console.ts'
import { SERVED_ADMIN_KEY, serveToBrowser } from '../support/served.ts'

const LOADS = 15
/** After these, the browser has the scripts compiled. */
const LOADS_BEFORE = 3

const served = await serveToBrowser()
try {
  const { tenant, customer, openAs } = consoleAt(served.origin, async () =>
    (await served.browser.newContext()).newPage(),
  )
  const { tenantId, liveKey } = await tenant()
  const id = await customer(liveKey, { name: 'Grace Hopper' })
  const screens: [name: string, address: string, isUsable: (page: Page) => Promise<unknown>][] = [
    ['find', '/console/', (page) => page.locator('[data-find]:focus').waitFor()],
    [
      'a customer',
      `/console/tenants/${tenantId}/live/customers/${id}`,
      (page) => page.getByRole('button', { name: /by key live key/ }).waitFor(),
    ],
  ]
  for (const [name, address, isUsable] of screens) {
    const coldMs: number[] = []
    const warmMs: number[] = []
    for (let load = 0; load < LOADS; load++) {
      const { page, context } = await openAs(SERVED_ADMIN_KEY, '/console/icon.svg')
      coldMs.push(await msOf(page, served.origin + address, isUsable))
      await context.close()
    }
    const { page, context } = await openAs(SERVED_ADMIN_KEY, '/console/')
    for (let load = 0; load < LOADS_BEFORE + LOADS; load++) {
      const ms = await msOf(page, served.origin + address, isUsable)
      if (load >= LOADS_BEFORE) warmMs.push(ms)
    }
    await context.close()
    console.log(`${name}: warm ${median(warmMs)} ms, cold ${median(coldMs)} ms`)
  }
} finally {
  await served.close()
}

async function msOf(page: Page, address: string, isUsable: (page: Page) => Promise<unknown>): Promise<number> {
  const startMs = performance.now()
  await page.goto(address, { waitUntil: 'commit' })
  await isUsable(page)
  return performance.now() - startMs
}

function median(values: number[]): number {
  return Math.round(values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0)
}
