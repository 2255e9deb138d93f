/** Checks the limits of D1 that local D1 does not enforce. Pure. Limits that local D1 enforces need no model. */

/** D1 documents 32; workerd allows 127. */
export const MAX_FUNCTION_ARGUMENTS = 32

/** Returns the calls in a statement that D1 may refuse, such as `33 arguments for json_object`. */
export function callsTooLong(statement: string): string[] {
  return functionCalls(tokensOf(statement))
    .filter(({ count }) => count > MAX_FUNCTION_ARGUMENTS)
    .map(({ name, count }) => `${count} arguments for ${name}`)
}

/** D1 documents 2,000,000 bytes for a string, a blob and a row. */
export const VALUE_BYTES_MAX = 2_000_000

/** Returns the bound values that D1 may refuse, such as `a value of 2000001 bytes`. */
export function valuesTooLarge(values: readonly unknown[]): string[] {
  return values
    .map((value) => (typeof value === 'string' ? new TextEncoder().encode(value).length : 0))
    .filter((bytes) => bytes > VALUE_BYTES_MAX)
    .map((bytes) => `a value of ${bytes} bytes`)
}

/** Strings and quoted names stay whole; comments and white space are left out. */
function tokensOf(sql: string): string[] {
  const pattern = /--[^\n]*|\/\*[\s\S]*?\*\/|\s+|('(?:[^']|'')*'|"[^"]*"|`[^`]*`|\w+|[\s\S])/g
  return Array.from(sql.matchAll(pattern), ([, token]) => token).filter((token) => token !== undefined)
}

/** A name before a parenthesis calls a function, unless one of these makes it a list of columns or values. */
const BEFORE_A_TABLE = new Set(['TABLE', 'INTO', 'ON', 'REFERENCES', 'EXISTS'])
const NO_FUNCTIONS = new Set([
  'IN',
  'VALUES',
  'KEY',
  'CHECK',
  'CONFLICT',
  'AND',
  'OR',
  'NOT',
  'SET',
  'UNIQUE',
  'SELECT',
  'FROM',
])

function functionCalls(tokens: string[]): { name: string; count: number }[] {
  const calls: { name: string; count: number }[] = []
  const open: ({ name: string; count: number } | null)[] = []
  for (const [at, token] of tokens.entries()) {
    if (token === '(') {
      const [before = '', name = ''] = [tokens[at - 2], tokens[at - 1]]
      const isList = NO_FUNCTIONS.has(name.toUpperCase()) || BEFORE_A_TABLE.has(before.toUpperCase())
      open.push(/^["`]?\w+["`]?$/.test(name) && !isList ? { name, count: tokens[at + 1] === ')' ? 0 : 1 } : null)
    }
    const call = open.at(-1)
    if (token === ',' && call) call.count++
    if (token === ')') {
      if (call) calls.push(call)
      open.pop()
    }
  }
  return calls
}
