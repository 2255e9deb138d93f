/**
 * Journeys of the console about the health of the deployment, in Debian's Chromium against a served Roster. Each one ends in a
 * look at what the API then says.
 */
import { expect, it } from 'vitest'
import { bearer, findingsOn } from '../support/console.ts'
import { describeInBrowser, useConsole } from '../support/journeys.ts'
import { receiverThat } from '../support/receiver.ts'
import { SERVED_ADMIN_KEY } from '../support/served.ts'

describeInBrowser('health', () => {
  const roster = useConsole()

  it('leads from a failing endpoint in the health to its deliveries', async () => {
    const { liveKey } = await roster.tenant('Krank GmbH')
    const receiver = await receiverThat(500)
    await roster.api('POST', '/v1/webhooks/endpoints', { url: receiver.url }, bearer(liveKey))
    await roster.customer(liveKey, { name: 'Anna' })
    await receiver.received(1)
    const { page } = await roster.openAs(SERVED_ADMIN_KEY, '/console/health')
    const host = new URL(receiver.url).host
    for (;;) {
      if ((await page.getByRole('link', { name: host }).count()) > 0) break
      await page.reload()
      await page.getByText('Databases').waitFor()
    }
    await page.getByRole('link', { name: host }).click()
    await page.getByText('answered 500').first().waitFor()
    const { body } = await roster.api('GET', '/admin/health')
    expect(body.failing_endpoints.items).toContainEqual(
      expect.objectContaining({ company_name: 'Krank GmbH', mode: 'live' }),
    )
    expect(await findingsOn(page, [['/console/health', 'Databases']])).toEqual({})
    await receiver.close()
  })
})
