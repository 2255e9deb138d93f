/**
 * Prints how many function calls evaluating a bundle makes: `node bench/start-calls.ts dist/index.js`. The count is the
 * same on every machine and under every load, which no time is. V8 counts each call (precise coverage); what the
 * runtime gives the bundle by import is classes to extend, so empty ones stand in for them.
 */
import { Session } from 'node:inspector/promises'
import { registerHooks } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const RUNTIME = ['DurableObject', 'WorkerEntrypoint', 'WorkflowEntrypoint', 'NonRetryableError']
  .map((name) => `export class ${name} {}`)
  .join('\n')

registerHooks({
  resolve: (specifier, context, next) =>
    specifier.startsWith('cloudflare:')
      ? { url: specifier, format: 'module', shortCircuit: true }
      : next(specifier, context),
  load: (url, context, next) =>
    url.startsWith('cloudflare:') ? { format: 'module', shortCircuit: true, source: RUNTIME } : next(url, context),
})

const [, , file = ''] = process.argv
const bundle = pathToFileURL(path.resolve(file)).href
const session = new Session()
session.connect()
await session.post('Profiler.enable')
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false })
await import(bundle)
const { result } = await session.post('Profiler.takePreciseCoverage')
const functions = result.find(({ url }) => url === bundle)?.functions ?? []
console.log(functions.reduce((calls, { ranges }) => calls + (ranges[0]?.count ?? 0), 0))
