/** Cuts a file into statements as SQLite's own `sqlite3_complete` does: at a semicolon outside of quotes and triggers. */
export function splitSql(text: string): string[] {
  const statements: string[] = []
  let start = 0
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string
    if (quote !== '') {
      if (character === quote) quote = ''
    } else if (character === "'" || character === '"') quote = character
    else if (character === '-' && text[at + 1] === '-') at = text.indexOf('\n', at)
    else if (character === ';') {
      const statement = text.slice(start, at).trim()
      if (/^CREATE TRIGGER/i.test(statement) && !/\bEND$/.test(statement)) continue
      if (statement !== '') statements.push(statement)
      start = at + 1
    }
  }
  return statements
}
