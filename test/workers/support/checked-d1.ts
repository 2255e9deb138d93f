/**
 * Checks every statement: one that D1 on Cloudflare would refuse fails the file that ran it, because local D1 accepts
 * more (d1-limits.ts). A module of its own, because files that share a runtime run the setup file again, and must not
 * patch twice.
 */
import { env } from 'cloudflare:workers'
import { callsTooLong, VALUE_BYTES_MAX, valuesTooLarge } from '../../shared/d1-limits.ts'

const seen = new Set<string>()
const refused: string[] = []

/** Returns what D1 would have refused since the last call. */
export const takeRefused = () => refused.splice(0)

// Patches the classes, because Workers and Durable Objects have bindings of their own.
for (const d1 of new Set([env.DB, env.DB.withSession()].map((one) => Object.getPrototypeOf(one)))) {
  const { prepare } = d1
  d1.prepare = function (this: D1Database, sql: string) {
    if (!seen.has(sql)) {
      seen.add(sql)
      refused.push(...callsTooLong(sql).map((call) => `${call}: ${sql}`))
    }
    return prepare.call(this, sql)
  }
}

const statement = Object.getPrototypeOf(env.DB.prepare('SELECT 1'))
const { bind } = statement
statement.bind = function (this: D1PreparedStatement & { statement: string }, ...values: unknown[]) {
  // Most values are short, and counting their bytes would take longer than the statement.
  if (values.some((value) => typeof value === 'string' && value.length > VALUE_BYTES_MAX / 4)) {
    refused.push(...valuesTooLarge(values).map((value) => `${value}: ${this.statement}`))
  }
  return bind.apply(this, values)
}
