/**
 * A D1 without room, for the whole isolate at once: every write is refused with the text of production and changes nothing;
 * reads go on. Local D1 never runs full.
 */
import { env } from 'cloudflare:workers'
import { vi } from 'vitest'
import { NO_ROOM } from './failing-d1.ts'

const WRITES = /\b(?:INSERT|UPDATE|DELETE|REPLACE)\b/i

interface Statement {
  /** Its SQL, as D1's own class has it. */
  statement: string
}

/** Makes D1 full from now on. The result counts the refused writes and makes room again. */
export function fillD1(): { refused(): number; makeRoom(): void } {
  let refused = 0
  const refuse = (statements: Statement[]) => {
    if (!statements.some(({ statement }) => WRITES.test(statement))) return
    refused++
    throw new Error(NO_ROOM)
  }
  const spies = [
    ...(['run', 'all', 'raw', 'first'] as const).map((method) =>
      before(Object.getPrototypeOf(env.DB.prepare('SELECT 1')), method, (statement) => refuse([statement])),
    ),
    ...[env.DB, env.DB.withSession()].map((database) =>
      before(Object.getPrototypeOf(database), 'batch', (_, [statements]) => refuse(statements as Statement[])),
    ),
  ]
  return {
    refused: () => refused,
    makeRoom() {
      for (const spy of spies) spy.mockRestore()
    },
  }
}

function before(prototype: object, method: string, look: (self: Statement, given: unknown[]) => void) {
  const methods = prototype as Record<string, (...given: unknown[]) => unknown>
  const real = methods[method] as (...given: unknown[]) => unknown
  return vi.spyOn(methods, method).mockImplementation(async function (this: Statement, ...given) {
    look(this, given)
    return real.apply(this, given)
  })
}
