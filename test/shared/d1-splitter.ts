/**
 * Models how D1 cuts a text of several statements that `/query` receives. The server's code is not public, so each model
 * follows public reports, and the worst one where they differ: a text that all models cut as SQLite does is safe.
 *
 * Reported: a trigger ends at the first END, also at that of a CASE (workers-sdk #4727, #15178, #15314); a quote mark in a
 * comment opens a string (#4713); a semicolon in a comment ends a statement (#3892); BEGIN and END are found in capitals
 * only, and not before a carriage return (#10998, #15690).
 */

interface Reading {
  /** False: the text of a comment is read like SQL. */
  skipsComments: boolean
  /** False: `begin` and `end` count like BEGIN and END. */
  capitalsOnly: boolean
}

/** Cuts a text as `/query` does according to most reports. Returns the statements without their semicolons, with their comments. */
export function splitLikeD1Query(sql: string): string[] {
  return split(sql, { skipsComments: false, capitalsOnly: true })
}

/** All models. A migration must be cut by each of them into the statements that SQLite sees. */
export const SPLITTERS: Record<string, (sql: string) => string[]> = {
  'that reads comments like SQL': splitLikeD1Query,
  'that reads comments like SQL, and BEGIN and END in any case': (sql) =>
    split(sql, { skipsComments: false, capitalsOnly: false }),
  'that skips comments': (sql) => split(sql, { skipsComments: true, capitalsOnly: true }),
  'that skips comments, and reads BEGIN and END in any case': (sql) =>
    split(sql, { skipsComments: true, capitalsOnly: false }),
}

const COMMENT = /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/y
const TOKEN = /'[^']*(?:'|$)|"[^"]*(?:"|$)|`[^`]*(?:`|$)|\w+|[\s\S]/y

function split(sql: string, { skipsComments, capitalsOnly }: Reading): string[] {
  const statements: string[] = []
  let [statement, inBody] = ['', false]
  for (let at = 0; at < sql.length; ) {
    const comment = skipsComments && matchAt(COMMENT, sql, at)
    const token = comment || matchAt(TOKEN, sql, at)
    at += token.length
    if (token === ';' && !inBody) {
      statements.push(statement.trim())
      statement = ''
      continue
    }
    statement += token
    const word = capitalsOnly ? token : token.toUpperCase()
    if (sql[at] === '\r') continue
    if (word === 'BEGIN') inBody = true
    if (word === 'END') inBody = false
  }
  return [...statements, statement.trim()].filter((text) => text !== '')
}

function matchAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0] ?? ''
}

/** Removes comments and joins white space, so that statements which mean the same compare equal. */
export function withoutComments(sql: string): string {
  return sql
    .replaceAll(/('[^']*'|"[^"]*"|`[^`]*`)|--[^\n]*|\/\*[\s\S]*?\*\/|\s+/g, (_, quoted?: string) => quoted ?? ' ')
    .replaceAll(/ +/g, ' ')
    .trim()
}
