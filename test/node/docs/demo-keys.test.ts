/**
 * The reference page of `npm start` knows the keys of the demo tenant, and no deployment has them. `browser.test.ts` shows what
 * the page does with them.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { SECURITY_SCHEMES } from '../../../openapi/parts.ts'
import { prepareDemoKeys, showDemoKeys } from '../../../scripts/demo-keys.mjs'

/** A project of its own, because the tests of `npm start` write into the real one. */
const project = mkdtempSync(path.join(tmpdir(), 'roster-demo-keys-'))
const folder = path.join(project, 'public')
mkdirSync(folder)
// All that the build reads, and the console, which npm test has built before.
for (const name of ['node_modules', 'console', 'scripts', 'src', 'package-lock.json', 'public/console']) {
  symlinkSync(path.resolve(name), path.join(project, name), 'junction')
}
afterAll(() => rmSync(project, { recursive: true, force: true }))

const DEMO = { tenantId: 'tenant', liveKey: 'sk_live_1', adminKey: 'admin' }
const SCRIPT = path.resolve('scripts/assets.mjs')

/** Runs the build command of wrangler.toml. */
function build(env: { ROSTER_DEMO?: string }): void {
  const { status, stderr } = spawnSync(process.execPath, [SCRIPT], {
    cwd: project,
    env: { ...process.env, ...env },
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
}

const served = () => JSON.parse(readFileSync(path.join(folder, 'demo-keys.json'), 'utf8'))

describe('the keys of the demo tenant', () => {
  it('are null before the demo tenant exists', () => {
    prepareDemoKeys(true, folder)
    expect(served()).toBe(null)
  })

  it('have the names of credentials of the OpenAPI document', () => {
    showDemoKeys(DEMO, folder)
    expect(served()).toEqual({ key: 'sk_live_1', account: 'tenant:sk_live_1', adminKey: 'admin' })
    for (const name of Object.keys(served())) expect(SECURITY_SCHEMES).toHaveProperty(name)
  })

  it('stay when `npm start` builds again, and are forgotten by the build of a deployment', () => {
    build({ ROSTER_DEMO: 'true' })
    expect(served()).not.toBe(null)
    build({})
    expect(served()).toBe(null)
  })
})
