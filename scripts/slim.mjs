/**
 * `npm install` and `npm ci` run this at their end: it deletes what packages bring along and nothing here uses, about 150 MB
 * of `node_modules`. What is not there is skipped, so it may be repeated. Runs on any Node from 18 on.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'

const MODULES = 'node_modules'

/** The largest packages that openapi-explorer asks for. The one file of it that is used contains what it needs of them. */
const IN_THE_VIEWER = [
  '@babel/runtime-corejs3',
  '@lit/reactive-element',
  'core-js-pure',
  'js-yaml',
  'lit',
  'lit-html',
  'openapi-resolver',
  'prismjs',
  'xml-but-prettier',
]

const UNUSED = [
  // Headers to compile native modules with. There are none.
  ...foldersOf(`${MODULES}/node/node_modules`, /^node-/).map((folder) => `${folder}/include`),
  ...foldersOf(MODULES, /^node-(linux|darwin|win)/).map((folder) => `${folder}/include`),
  // Native code of an image library, which miniflare loads for the Images binding only.
  ...foldersOf(`${MODULES}/@img`, /^sharp-/),
  // The library beside the command.
  ...['js', 'mjs', 'd.ts', 'd.mts'].map((kind) => `${MODULES}/drizzle-kit/api.${kind}`),
  // A page that shows recorded traces of a browser.
  `${MODULES}/playwright-core/lib/vite`,
  `${MODULES}/openapi-explorer/dist/es`,
  `${MODULES}/openapi-explorer/dist/lib`,
  ...IN_THE_VIEWER.flatMap((name) => contentsOf(`${MODULES}/${name}`)),
  // Sources and documentation beside the compiled code.
  `${MODULES}/@flexprice/sdk/src`,
  `${MODULES}/@flexprice/sdk/docs`,
  ...foldersOf(MODULES, /^zod(-|$)/).map((folder) => `${folder}/src`),
  // Positions in the sources above. Vite warns of a missing map in what it loads itself, so those of others stay.
  ...mapsIn(`${MODULES}/@flexprice/sdk`),
]

for (const unused of UNUSED) rmSync(unused, { recursive: true, force: true })

function foldersOf(parent, pattern) {
  if (!existsSync(parent)) return []
  return readdirSync(parent)
    .filter((name) => pattern.test(name))
    .map((name) => path.join(parent, name))
}

/** Keeps package.json, so that npm finds the package installed. */
function contentsOf(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => name !== 'package.json')
    .map((name) => path.join(folder, name))
}

function mapsIn(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.map'))
    .map((name) => path.join(folder, name))
}
