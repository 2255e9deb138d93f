/**
 * The Roster and the browser that the files of the project `browser` share (`shared-served.ts`), for one file of tests.
 */
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterEach, beforeAll, describe, inject } from 'vitest'
import { type ConsoleTest, consoleAt } from './console.ts'

/** Describes tests that need the browser. They are skipped where there is none. */
export const describeInBrowser = describe.skipIf(inject('served') === null)

interface InBrowser {
  origin: string
  /** Returns a page that keeps nothing of the tests before. When the test ends, it is closed or emptied. */
  newPage(): Promise<Page>
}

/**
 * The connection to the browser, and the page that the tests of all files of a worker use one after the other. A tab and a
 * profile of its own take as much of the machine as the screens that a test opens in them.
 */
let browser: Browser | null = null
let kept: Page | null = null

/** Connects the file to the browser. The first page of each test is the same one, without its cookies and storage. */
export function useBrowser(): InBrowser {
  const { origin, browserUrl } = inject('served') ?? { origin: '', browserUrl: '' }
  let isKeptInUse = false
  beforeAll(async () => {
    browser ??= await chromium.connect(browserUrl)
  })
  afterEach(async ({ task }) => {
    const isBroken = task.result?.state === 'fail'
    const pages = (browser?.contexts() ?? []).flatMap((context) => context.pages())
    const contexts = (browser?.contexts() ?? []).filter((context) => isBroken || context !== kept?.context())
    await Promise.all(pages.filter((page) => isBroken || page !== kept).map((page) => page.close()))
    await Promise.all(contexts.map((context) => context.close()))
    if (isBroken) kept = null
    else if (isKeptInUse && kept) await empty(kept, origin)
    isKeptInUse = false
  })
  return {
    origin,
    async newPage() {
      if (!browser) throw new Error('there is no browser')
      if (isKeptInUse) return (await browser.newContext()).newPage()
      isKeptInUse = true
      kept ??= await (await browser.newContext()).newPage()
      return kept
    },
  }
}

/** Leaves a page of the same origin, so that its process goes on with the scripts that it has compiled. */
async function empty(page: Page, origin: string): Promise<void> {
  page.removeAllListeners()
  await page.unrouteAll({ behavior: 'ignoreErrors' })
  await page.goto(`${origin}/console/icon.svg`)
  await page.evaluate(() => {
    window.sessionStorage.clear()
    window.localStorage.clear()
  })
  await page.context().clearCookies()
}

/** Gives the file the console in the browser. */
export function useConsole(): ConsoleTest {
  const { origin, newPage } = useBrowser()
  return consoleAt(origin, newPage)
}
