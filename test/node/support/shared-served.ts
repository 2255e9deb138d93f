/**
 * Serves one Roster and starts one browser for all files of the project `browser`, and ends both after the last one. Each test
 * makes tenants and operators of its own and opens browser contexts of its own, so files may run in any order, and at once.
 */
import { chromium } from 'playwright-core'
import type { TestProject } from 'vitest/node'
import { CHROMIUM_OPTIONS, hasChromium, serveRoster } from './served.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the Roster and the browser listen; null if there is no Chromium. */
    served: { origin: string; browserUrl: string } | null
  }
}

/** Runs before the first file. Returns what runs after the last one. */
export default async function serve(project: TestProject): Promise<() => Promise<void>> {
  project.provide('served', null)
  if (!hasChromium('the console and of /docs')) return async () => undefined
  const [roster, browser] = await Promise.all([serveRoster(), chromium.launchServer(CHROMIUM_OPTIONS)])
  project.provide('served', { origin: roster.origin, browserUrl: browser.wsEndpoint() })
  return async () => {
    await browser.close()
    await roster.close()
  }
}
