/**
 * Builds the pure core with some places of its source changed, and loads it. Production code has no switch for this. `isOpen`
 * makes its private fields plain ones, named `_name` instead of `#name`, so that the explorer can copy and compare its objects.
 */

import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { build } from 'esbuild'
import type * as CoreModule from './core.ts'
import type { Edit } from './mutations.ts'

const ENTRY = new URL('./core.ts', import.meta.url).pathname

export async function loadCore(edits: readonly Edit[], isOpen = false): Promise<typeof CoreModule> {
  const applied = new Map(edits.map((edit) => [edit, 0]))
  const built = await build({
    entryPoints: [ENTRY],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    logLevel: 'silent',
    plugins: [
      {
        name: 'mutation',
        setup(builder) {
          builder.onLoad({ filter: /src\/gate\/[a-z0-9/-]+\.ts$/ }, async ({ path }) => {
            let contents = await readFile(path, 'utf8')
            for (const edit of edits) {
              if (edit.file !== basename(path)) continue
              const parts = contents.split(edit.find)
              applied.set(edit, parts.length - 1)
              contents = parts.join(edit.replace)
            }
            return { contents: isOpen ? contents.replace(/#(?=[a-z])/gi, '_') : contents, loader: 'ts' }
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
