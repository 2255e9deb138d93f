/**
 * `npm run build:client` builds packages/client: the code of src/client.ts, and its types without any of the Worker's. The
 * types of the routes are read off the app and written out in full by the compiler, which takes seconds: only if something has
 * changed since.
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { build } from 'esbuild'
import { fingerprintOf } from './fingerprint.mjs'

const FOLDER = 'packages/client'
const OUT_DIR = path.join(FOLDER, 'dist')
/** All that the code and the types may depend on. */
const SOURCES = [
  'src',
  FOLDER,
  'package-lock.json',
  'tsconfig.json',
  'worker-configuration.d.ts',
  'scripts/build-client.mjs',
]
/** The note of what the last build was made from. */
const NOTE = 'node_modules/.cache/client-built-from'

/** The compiler declares a constant for each type; what is wanted is the type, which refers to no file of the Worker. */
function typesOf(declarations) {
  const imports = /^import type \{(.*?)\} from .*;\n/gm
  const reference = /import\("[^"]*"\)\.(\w+)/g
  const named = [
    ...[...declarations.matchAll(imports)].flatMap(([, names]) => names.split(',').map((name) => name.trim())),
    ...[...declarations.matchAll(reference)].map(([, name]) => name),
  ]
  const types = declarations
    .replaceAll(imports, '')
    .replaceAll(reference, '$1')
    .replaceAll(/^export declare const keysOf(\w+): /gm, 'export type $1 = keyof ')
    .replaceAll(/^export declare const as(\w+): /gm, 'export type $1 = ')
  const missing = named.filter((name) => !types.includes(`export type ${name} = `))
  if (missing.length > 0) throw new Error(`${FOLDER}/client-routes.ts has to write out ${missing.join(', ')}`)
  return types
}

const wanted = fingerprintOf(SOURCES, (file) => !file.startsWith(OUT_DIR))
if (!existsSync(OUT_DIR) || !existsSync(NOTE) || readFileSync(NOTE, 'utf8') !== wanted) {
  await buildClient()
  mkdirSync(path.dirname(NOTE), { recursive: true })
  writeFileSync(NOTE, wanted)
}

async function buildClient() {
  const emitted = mkdtempSync(path.join(tmpdir(), 'roster-client-'))
  try {
    // Several threads would each check what all files depend on.
    const options = ['-p', FOLDER, '--outDir', emitted, '--singleThreaded']
    execFileSync(path.resolve('node_modules/.bin/tsc'), options, { stdio: 'inherit' })
    rmSync(OUT_DIR, { recursive: true, force: true })
    mkdirSync(OUT_DIR, { recursive: true })
    const read = (file) => readFileSync(path.join(emitted, file), 'utf8')
    writeFileSync(path.join(OUT_DIR, 'client-routes.d.ts'), typesOf(read(`${FOLDER}/client-routes.d.ts`)))
    writeFileSync(
      path.join(OUT_DIR, 'client.d.ts'),
      read('src/client.d.ts').replaceAll("./client-routes.ts'", "./client-routes.js'"),
    )
  } finally {
    rmSync(emitted, { recursive: true, force: true })
  }
  copyFileSync('LICENSE', path.join(OUT_DIR, 'LICENSE'))
  await build({
    entryPoints: ['src/client.ts'],
    format: 'esm',
    target: 'es2022',
    outfile: path.join(OUT_DIR, 'client.js'),
    logLevel: 'warning',
  })
}
