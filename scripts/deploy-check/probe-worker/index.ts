/**
 * The Worker that `npm run deploy -- --check` deploys for some minutes: does on Cloudflare what the experiments
 * request, and returns its observations. Judges nothing and contains nothing of Roster. Returns 404 without the token
 * of this run.
 */

import { errorText } from './error-text.ts'
import type { BurnRequest, ProbeObject } from './object.ts'
import { answerCount, type QueryShape } from './queries.ts'
import { reach } from './reach.ts'
import { type RowsRequest, readAndWrite } from './rows.ts'
import { answerWhileReading } from './upload.ts'

export { ProbeObject } from './object.ts'

export interface ProbeEnv {
  DB: D1Database
  OBJECTS: DurableObjectNamespace<ProbeObject>
  /** Random for each run. Without it anyone could have this Worker compute and fetch. */
  TOKEN: string
  /** Tells deployments apart: 1 for the first, 2 for the next. */
  VERSION: string
  /** JSON: the URLs that `reach` may fetch, by name. */
  TARGETS: string
}

type Handler = (body: never, env: ProbeEnv) => unknown

const HANDLERS: Record<string, Handler> = {
  version: (_body, env) => ({ version: env.VERSION }),
  object: async ({ object }: { object: string }, env) => ({
    worker: env.VERSION,
    ...(await stubOf(env, object).identity()),
  }),
  burn: burnBetweenReadings,
  restart: restartObject,
  queries: ({ shape, count }: { shape: QueryShape; count: number }, env) => answerCount(env.DB, shape, count),
  rows: (body: RowsRequest, env) => readAndWrite(env.DB, body),
  jurisdiction: placeInJurisdiction,
  reach: ({ target }: { target: string }, env) => reach(JSON.parse(env.TARGETS), target),
}

export default {
  async fetch(request, env, context) {
    const { pathname } = new URL(request.url)
    const name = pathname.replace('/probe/', '')
    const isKnown = name === 'upload' || Object.hasOwn(HANDLERS, name)
    if (request.headers.get('authorization') !== `Bearer ${env.TOKEN}` || !isKnown) {
      return Response.json({ error: 'not found' }, { status: 404 })
    }
    if (name === 'upload') return answerWhileReading(request, context)
    try {
      const body = (await request.json()) as never
      return Response.json(await HANDLERS[name]?.(body, env))
    } catch (error) {
      return Response.json({ error: errorText(error) }, { status: 500 })
    }
  },
} satisfies ExportedHandler<ProbeEnv>

/** The object's clock between two readings of this invocation's, both taken right after I/O. */
async function burnBetweenReadings({ object, ...request }: { object: string } & BurnRequest, env: ProbeEnv) {
  const sentAtMs = Date.now()
  const readings = await stubOf(env, object).burn(request)
  return { sentAtMs, receivedAtMs: Date.now(), ...readings }
}

/** The call that ends the object fails: that is how its caller sees it. */
async function restartObject({ object }: { object: string }, env: ProbeEnv) {
  try {
    await stubOf(env, object).restart()
    return { ended: false }
  } catch {
    return { ended: true }
  }
}

/** Makes an object in a jurisdiction. Returns what it says, and whether that of the same name outside would be another. */
async function placeInJurisdiction(
  { jurisdiction, object }: { jurisdiction: DurableObjectJurisdiction; object: string },
  env: ProbeEnv,
) {
  const inside = env.OBJECTS.jurisdiction(jurisdiction)
  const isAnother = !inside.idFromName(object).equals(env.OBJECTS.idFromName(object))
  return { reported: await inside.getByName(object).jurisdiction(), isAnother }
}

function stubOf(env: ProbeEnv, name: string) {
  return env.OBJECTS.get(env.OBJECTS.idFromName(name))
}
