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

/** D1 allows a function 32 arguments: 16 pairs of `json_object`, or a document and 31 paths of `json_remove`. */
const PAIRS_MAX = 16
const PATHS_MAX = 31

/** A path that no document has, for `json_remove` to remove nothing. */
const NOTHING = "'$.x'"

type Pair = [key: string, sql: string]

/** A part of a document: its path, its SQL, and the condition under which the document goes without it. */
interface Part {
  path: string
  sql: string
  without?: string
}

/**
 * Which document of an event: the customer after the change (of the row NEW), what differed before it (of the row OLD),
 * or what an erasure leaves of an earlier event.
 */
export type DocumentOf = 'NEW' | 'OLD' | 'erased'

/** Returns the SQL of the document. What it leaves out, src/storage/event-documents.ts puts back. */
export function customerDocument(of: DocumentOf): string {
  const parts = of === 'NEW' ? partsAfter() : of === 'OLD' ? partsBefore() : partsErased()
  const groups = new Map<string, Part[]>()
  for (const part of parts) {
    const [top = '', inner] = part.path.split('.')
    groups.set(top, [...(groups.get(top) ?? []), ...(inner === undefined ? [] : [{ ...part, path: inner }])])
  }
  const pairs = [...groups].map(([key, inner]): Pair => {
    const whole = parts.find(({ path }) => path === key)
    return [key, whole?.sql ?? jsonObject(inner.map(({ path, sql }) => [path, sql]))]
  })
  const paths = parts.filter(({ without }) => without !== undefined)
  // A group that would be left empty goes with the last of its parts. Stamps stay, to be copied by an erasure.
  const empty = [...groups].filter(([key, inner]) => key !== 'stamps' && inner.length > 0)
  const removed = [
    ...paths.map(({ path, without }) => removedIf(path, without ?? '')),
    ...empty.map(([key, inner]) => removedIf(key, inner.map(({ without }) => without).join(' AND '))),
  ]
  if (removed.length > PATHS_MAX) throw new Error('too many fields for one json_remove: nest another one in it')
  return `json_remove(\n${[jsonObject(pairs), ...removed].join(',\n')}\n)`
}

function removedIf(path: string, condition: string): string {
  return `iif(${condition}, '$.${path}', ${NOTHING})`
}

/** The customer after the change, without nulls, initial values, and what other columns of the event have. */
function partsAfter(): Part[] {
  return customerParts('NEW', (column, initial) => {
    if (column === 'external_id') return undefined
    if (column === 'created_at') return 'NEW.created_at = NEW.updated_at'
    if (column === 'created_by') return 'NEW.created_by = NEW.updated_by'
    return initial === undefined ? `NEW.${column} IS NULL` : `NEW.${column} = '${initial}'`
  })
}

/** Each field whose value was another one before, null or not. */
function partsBefore(): Part[] {
  const isSame = (column: string) => `OLD.${column} IS NEW.${column}`
  return [
    ...customerParts('OLD', isSame),
    { path: 'version', sql: 'OLD.version', without: 'OLD.version = NEW.version - 1' },
    ...['updated_at', 'updated_by'].map((column) => stamp('OLD', column, isSame(column))),
  ]
}

/** The state and the stamps of the event as they are, and no data of the customer. */
function partsErased(): Part[] {
  const kept = OPTIONAL_TEXT_FIELDS.filter((name) => CUSTOMER_FIELDS[name].erased !== 'null')
  if (kept.length > 0) throw new Error(`an erasure keeps ${kept}: copy it from the event`)
  const copied = (path: string): Part => ({
    path,
    sql: `after ->> '$.${path}'`,
    without: `after ->> '$.${path}' IS NULL`,
  })
  return [
    { path: 'external_id', sql: 'customer_id' },
    copied('status'),
    copied('archived_at'),
    { path: 'stamps', sql: "json(after -> '$.stamps')" },
  ]
}

/** Returns the parts that both documents of a change have. `without` is asked for a column and its initial value. */
function customerParts(row: 'NEW' | 'OLD', without: (column: string, initial?: string) => string | undefined): Part[] {
  const part = (path: string, column: string, sql = `${row}.${column}`, initial?: string): Part => {
    const condition = without(column, initial)
    return condition === undefined ? { path, sql } : { path, sql, without: condition }
  }
  const json = (name: 'metadata' | 'integrations' | 'profile') => {
    const { column, initial } = CUSTOMER_FIELDS[name]
    return part(column, column, `json(${row}.${column})`, initial)
  }
  const withInitial = (name: 'timezone' | 'status') => {
    const { column, initial } = CUSTOMER_FIELDS[name]
    return part(column, column, `${row}.${column}`, initial)
  }
  const text = (name: OptionalTextField) => part(CUSTOMER_FIELDS[name].document, CUSTOMER_FIELDS[name].column)
  const isInGroup = (name: OptionalTextField) => documentPlaceOf(name).group !== null
  return [
    part('external_id', 'external_id'),
    ...OPTIONAL_TEXT_FIELDS.filter((name) => !isInGroup(name)).map(text),
    withInitial('timezone'),
    ...OPTIONAL_TEXT_FIELDS.filter(isInGroup).map(text),
    part('parent_id', 'parent_id'),
    json('metadata'),
    json('integrations'),
    json('profile'),
    withInitial('status'),
    part('archived_at', 'archived_at'),
    stamp(row, 'created_at', without('created_at')),
    stamp(row, 'created_by', without('created_by')),
  ]
}

function stamp(row: 'NEW' | 'OLD', column: string, without?: string): Part {
  return { path: `stamps.${column}`, sql: `${row}.${column}`, ...(without !== undefined && { without }) }
}

function jsonObject(pairs: Pair[]): string {
  if (pairs.length > PAIRS_MAX) throw new Error('too many fields for one json_object: nest it in a json_set')
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

const START = /json_remove\(\s*json_object\(\s*'external_id', (?:(NEW|OLD)\.external_id|customer_id)/g

/** Returns the documents in the text of a trigger: where each begins and ends, and which one it is. */
export function documentsIn(text: string): { from: number; to: number; of: DocumentOf }[] {
  return Array.from(text.matchAll(START), (match) => {
    return { from: match.index, to: endOfCall(text, match.index), of: (match[1] ?? 'erased') as DocumentOf }
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
