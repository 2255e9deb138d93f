/**
 * Generates the JSON of a customer that the triggers of `migrations/` write into events, from the table of fields, and finds
 * such JSON in the text of a trigger.
 */
import {
  CUSTOMER_FIELDS,
  documentPlaceOf,
  OPTIONAL_TEXT_FIELDS,
  type OptionalTextField,
} from '../src/registry/customer-fields.ts'

/** D1 allows 32 arguments: 16 pairs, of which a trigger may need one for its own. */
const PAIRS_MAX = 14
/** Pairs of `json_object`; `json_set` adds the others. */
const OBJECT_PAIRS = 11

type Pair = [key: string, sql: string]

/** Which customer a document is of: the row before or after the change, or the erased one in an earlier event. */
export type DocumentOf = 'NEW' | 'OLD' | 'erased'

/** Returns the SQL of the document without its last parenthesis, so that a trigger can add pairs. */
export function customerDocument(of: DocumentOf): string {
  const erased = of === 'erased'
  const row = (column: string) => `${of}.${column}`
  const text = (name: OptionalTextField) => {
    const { column, document, erased: to } = CUSTOMER_FIELDS[name]
    if (!erased) return row(column)
    return to === 'null' ? 'NULL' : `after ->> '$.${document}'`
  }
  const json = (name: 'metadata' | 'integrations' | 'profile') =>
    `json(${erased ? `'${CUSTOMER_FIELDS[name].initial}'` : row(CUSTOMER_FIELDS[name].column)})`
  const kept = (column: string) => (erased ? `after ->> '$.${column}'` : row(column))
  const stamp = (column: string): Pair => [column, row(column)]

  const plain = OPTIONAL_TEXT_FIELDS.filter((name) => documentPlaceOf(name).group === null)
  const pairs: Pair[] = [
    ['id', erased ? 'customer_id' : row('id')],
    ['external_id', erased ? 'customer_id' : row('external_id')],
    ...plain.map((name): Pair => [documentPlaceOf(name).key, text(name)]),
    ['timezone', erased ? `'${CUSTOMER_FIELDS.timezone.initial}'` : row('timezone')],
    ...groupsOf(text),
    ['parent_id', erased ? 'NULL' : row('parent_id')],
    ['metadata', json('metadata')],
    ['integrations', json('integrations')],
    ['profile', json('profile')],
    ['status', kept('status')],
    ['archived_at', kept('archived_at')],
    ['version', erased ? 'version' : row('version')],
    [
      'stamps',
      erased
        ? "json(after -> '$.stamps')"
        : jsonObject(['created_at', 'updated_at', 'created_by', 'updated_by'].map(stamp)),
    ],
  ]
  const added = pairs.slice(OBJECT_PAIRS)
  if (added.length > PAIRS_MAX) throw new Error('too many fields for one json_set: nest another one in it')
  const object = jsonObject(pairs.slice(0, OBJECT_PAIRS))
  return `json_set(\n${object},\n${added.map(([key, sql]) => `'$.${key}', ${sql}`).join(',\n')}`
}

function groupsOf(text: (name: OptionalTextField) => string): Pair[] {
  const groups = new Map<string, Pair[]>()
  for (const name of OPTIONAL_TEXT_FIELDS) {
    const { group, key } = documentPlaceOf(name)
    if (group !== null) groups.set(group, [...(groups.get(group) ?? []), [key, text(name)]])
  }
  return [...groups].map(([group, pairs]) => [group, jsonObject(pairs)])
}

function jsonObject(pairs: Pair[]): string {
  if (pairs.length > PAIRS_MAX) throw new Error('too many fields for one json_object')
  return `json_object(\n${pairs.map(([key, sql]) => `'${key}', ${sql}`).join(',\n')}\n)`
}

export interface Trigger {
  name: string
  text: string
}

/** Returns the triggers on `customers` that a list of SQL texts leaves behind, oldest first. */
export function customerTriggers(migrations: readonly string[]): Trigger[] {
  const triggers = new Map<string, string>()
  const statement = /^DROP TRIGGER (\w+);|^CREATE TRIGGER (\w+) [^\n]* ON customers\b[\s\S]*?^END;/gm
  for (const [text, dropped, created] of migrations.flatMap((sql) => [...sql.matchAll(statement)])) {
    if (dropped) triggers.delete(dropped)
    else if (created) triggers.set(created, text)
  }
  return [...triggers].map(([name, text]) => ({ name, text }))
}

const START = /json_set\(\s*json_object\(\s*'id', (?:(NEW|OLD)\.id|customer_id)/g
const STAMPS = "'$.stamps', "

/** Returns the documents in the text of a trigger: where each begins and ends, and which customer it is of. */
export function documentsIn(text: string): { from: number; to: number; of: DocumentOf }[] {
  return Array.from(text.matchAll(START), (match) => {
    const stamps = text.indexOf(STAMPS, match.index) + STAMPS.length
    return { from: match.index, to: endOfCall(text, stamps), of: (match[1] ?? 'erased') as DocumentOf }
  })
}

/** Returns the text with each document written anew, from the table as it is now. */
export function withDocuments(text: string): string {
  let result = ''
  let at = 0
  for (const { from, to, of } of documentsIn(text)) {
    const indent = /[ \t]*$/.exec(text.slice(0, from))?.[0] ?? ''
    const isSame = sameSql(text.slice(from, to), customerDocument(of))
    result += text.slice(at, from) + (isSame ? text.slice(from, to) : indented(customerDocument(of), indent))
    at = to
  }
  return result + text.slice(at)
}

/** Says whether two texts differ only in white space. */
export function sameSql(a: string, b: string): boolean {
  const plain = (text: string) => text.replaceAll(/\s+/g, ' ').replaceAll(/ ?([(),]) ?/g, '$1')
  return plain(a) === plain(b)
}

function indented(text: string, indent: string): string {
  let depth = 0
  return text
    .split('\n')
    .map((line, at) => {
      if (line.startsWith(')')) depth--
      const result = at === 0 ? line : indent + '  '.repeat(depth) + line
      if (line.endsWith('(')) depth++
      return result
    })
    .join('\n')
}

/** Returns the position behind the parenthesis that closes the call. No text in a document has a parenthesis. */
function endOfCall(text: string, start: number): number {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    if (text[at] === '(') depth++
    else if (text[at] === ')' && --depth === 0) return at + 1
  }
  throw new Error('a document in a trigger has no end')
}
