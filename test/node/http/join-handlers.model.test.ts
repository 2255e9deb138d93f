/** Hono's own chain is the model: the same handlers are the middleware of an app whose route is not a hot one. */
import fc from 'fast-check'
import type { Context, Next } from 'hono'
import { expect, it } from 'vitest'
import { Hono } from '../../../src/http/hono.ts'

const KINDS = [
  'passes on',
  'passes on late',
  'waits and adds a header',
  'waits and looks at the error',
  'adds a header before',
  'responds',
  'responds late',
  'responds after the others',
  'throws',
  'throws late',
  'throws after the others',
  'catches and responds',
  'throws no error',
] as const
type Kind = (typeof KINDS)[number]

/** Returns a handler of the kind that notes in `seen` what it does. The last one is that of the route. */
function handlerOf(kind: Kind, at: number, isLast: boolean, seen: string[]) {
  const respond = (text: string) => new Response(`${text} of ${at}`, { status: 201, headers: { [`by-${at}`]: 'set' } })
  const handlers: Record<Kind, (c: Context, next: Next) => unknown> = {
    'passes on': (_, next) => next(),
    'passes on late': async (_, next) => {
      await null
      return next()
    },
    'waits and adds a header': async (c, next) => {
      await next()
      c.res.headers.set(`after-${at}`, 'set')
    },
    'waits and looks at the error': async (c, next) => {
      await next()
      seen.push(`${at} sees ${c.error?.message} and ${c.res.status}`)
    },
    'adds a header before': (c, next) => {
      c.res.headers.set(`before-${at}`, 'set')
      return next()
    },
    responds: () => respond('the response'),
    'responds late': async () => respond('the late response'),
    'responds after the others': async (_, next) => {
      await next()
      return respond('what is too late')
    },
    throws: () => {
      throw new Error(`thrown by ${at}`)
    },
    'throws late': async () => {
      throw new Error(`thrown late by ${at}`)
    },
    'throws after the others': async (_, next) => {
      await next()
      throw new Error(`thrown after the others by ${at}`)
    },
    'catches and responds': async (_, next) => {
      try {
        await next()
      } catch (error) {
        return respond(String(error))
      }
    },
    'throws no error': () => {
      throw `a text of ${at}`
    },
  }
  return (c: Context, next: Next) => {
    seen.push(isLast ? `${at} ${kind} with ${c.req.param('id')}` : `${at} ${kind}`)
    return handlers[kind](c, next) as Promise<void>
  }
}

async function outcome(kinds: readonly Kind[], isHot: boolean, isErrorLate: boolean) {
  const seen: string[] = []
  const onError = (error: Error) => {
    seen.push(`responds to ${error.message}`)
    const response = new Response(error.message, { status: 500, headers: { failed: 'yes' } })
    return isErrorLate ? Promise.resolve(response) : response
  }
  const hotRoutes = isHot ? [{ method: 'GET', prefix: '/things/t_', path: '/things/:id' }] : []
  const app = new Hono({ hotRoutes, onError })
  for (const [at, kind] of kinds.slice(0, -1).entries()) app.use('/things/*', handlerOf(kind, at, false, seen))
  app.get('/things/:id', handlerOf(kinds.at(-1) as Kind, kinds.length - 1, true, seen))
  const result = await Promise.resolve()
    .then(() => app.fetch(new Request('http://localhost/things/t_1')))
    .then(
      async (response) => ({
        status: response.status,
        headers: Object.fromEntries(response.headers),
        text: await response.text(),
      }),
      (error) => `rejects with ${error}`,
    )
  return { seen, result }
}

it('runs the handlers of a hot route as Hono’s own chain does', async () => {
  const last = fc.constantFrom<Kind>('responds', 'responds late', 'throws', 'throws late', 'throws no error')
  const chain = fc.tuple(fc.array(fc.constantFrom(...KINDS), { maxLength: 5 }), last)
  await fc.assert(
    fc.asyncProperty(chain, fc.boolean(), async ([middleware, handler], isErrorLate) => {
      const kinds = [...middleware, handler]
      expect(await outcome(kinds, true, isErrorLate)).toEqual(await outcome(kinds, false, isErrorLate))
    }),
    { numRuns: 2_000 },
  )
})

it('responds at once if every handler does', () => {
  const app = new Hono({
    hotRoutes: [{ method: 'GET', prefix: '/things/t_', path: '/things/:id' }],
    onError: (error) => new Response(error.message, { status: 500 }),
  })
  app.use('/things/*', (_, next) => next())
  app.get('/things/:id', (c) => new Response(c.req.param('id')))
  expect(app.fetch(new Request('http://localhost/things/t_1'))).toBeInstanceOf(Response)
})
