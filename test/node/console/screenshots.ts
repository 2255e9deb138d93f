/**
 * `npm run screenshots`: takes a picture of every screen of the console, wide and narrow, light and dark, over invented data,
 * into `screenshots/`. With names of screens, only of these: `npm run screenshots -- customer find`.
 */
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { consoleAt, signIn } from '../support/console.ts'
import { serveToBrowser } from '../support/served.ts'
import { invent } from './invented.ts'
import { shotsOf } from './shots.ts'

const FOLDER = 'screenshots'
const SIZES = [
  { name: 'wide', width: 1440, height: 900 },
  { name: 'narrow', width: 390, height: 844 },
]
const THEMES = ['light', 'dark'] as const
/** Toasts, fonts and lists have come to rest. */
const SETTLE_MS = 1_200

const wanted = process.argv.slice(2)
const receiver = createServer((request, response) => {
  response.statusCode = request.url === '/broken' ? 500 : 200
  request.resume().on('end', () => response.end(response.statusCode === 500 ? 'database is locked' : 'ok'))
})
await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
const served = await serveToBrowser()
const test = consoleAt(served.origin, async () => (await served.browser.newContext()).newPage())
try {
  const data = await invent(test, (receiver.address() as AddressInfo).port)
  mkdirSync(FOLDER, { recursive: true })
  for (const theme of THEMES) {
    for (const { name: size, width, height } of SIZES) {
      const options = { viewport: { width, height }, colorScheme: theme }
      const { page, context } = await test.open('/console/', options)
      const take = async (screen: string) => {
        await page.waitForTimeout(SETTLE_MS)
        await page.screenshot({ path: path.join(FOLDER, `${screen}-${size}-${theme}.png`) })
      }
      if (isWanted('sign-in')) await take('sign-in')
      await signIn(page, data.ownerKey)
      for (const [screen, { at, before, after }] of Object.entries(shotsOf(data))) {
        if (!isWanted(screen)) continue
        await before?.(page)
        await page.goto(test.origin + at)
        // A picture of what is slow or refused is taken at once.
        if (!before) await page.waitForLoadState('networkidle')
        await after?.(page)
        await take(screen)
        await page.unrouteAll({ behavior: 'ignoreErrors' })
      }
      await context.close()
    }
  }
} finally {
  await served.close()
  receiver.close()
}

function isWanted(screen: string): boolean {
  return wanted.length === 0 || wanted.includes(screen)
}
