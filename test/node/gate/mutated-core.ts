/**
 * Builds the pure core, or another entry, with some places of its source changed, and loads it. Production code has no switch
 * for this. `isOpen` makes the private fields of the gate plain ones, named `_name` instead of `#name`, so that the explorer can
 * copy and compare its objects.
 */

import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import type * as CoreModule from './core.ts'
import type { Edit } from './mutations.ts'

const ROOT = new URL('../../../', import.meta.url).pathname
const ENTRY = `export * from './test/node/gate/core.ts'`
const require = createRequire(import.meta.url)

export function loadCore(edits: readonly Edit[], isOpen = false): Promise<typeof CoreModule> {
  return loadEdited<typeof CoreModule>(ENTRY, edits, isOpen, 'src/gate/')
}

/** Loads a module, given as its text, with edits of the files in a folder. Its paths begin at the root. A file of an edit is its name, or the end of its path. */
export async function loadEdited<Module>(
  entry: string,
  edits: readonly Edit[],
  isOpen: boolean,
  folder = 'src/',
): Promise<Module> {
  const applied = new Map(edits.map((edit) => [edit, 0]))
  const built = await build({
    stdin: { contents: entry, resolveDir: ROOT, loader: 'ts' },
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    logLevel: 'silent',
    plugins: [
      {
        name: 'mutation',
        setup(builder) {
          // Libraries are loaded once, and not built with each edit.
          builder.onResolve({ filter: /^[a-z@]/ }, ({ path }) => ({
            path: pathToFileURL(require.resolve(path)).href,
            external: true,
          }))
          builder.onLoad({ filter: new RegExp(`/${folder}[a-z0-9/-]+\\.ts$`) }, async ({ path }) => {
            let contents = await readFile(path, 'utf8')
            for (const edit of edits) {
              if (!path.endsWith(`/${edit.file}`)) continue
              const parts = contents.split(edit.find)
              applied.set(edit, (applied.get(edit) ?? 0) + parts.length - 1)
              contents = parts.join(edit.replace)
            }
            const isOpened = isOpen && path.includes('/src/gate/')
            return { contents: isOpened ? contents.replace(/#(?=[a-z])/gi, '_') : contents, loader: 'ts' }
          })
        },
      },
    ],
  })
  for (const [{ file, find }, times] of applied) {
    if (times !== 1) throw new Error(`${file}: found ${times} times, not once: ${find}`)
  }
  const code = (built.outputFiles[0] as { text: string }).text
  return import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`)
}
