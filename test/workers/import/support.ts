/** Shared by the import tests: sending files and reading results. */
import { exports } from 'cloudflare:workers'
import { BULK_BOUNDS } from '../../../src/registry/bulk.ts'
import { call, requestTo } from '../support/roster.ts'

export interface LineResult {
  line: number
  result: 'created' | 'updated' | 'unchanged' | 'error'
  id: string | null
  external_id: string | null
  errors: { field: string; message: string; fix: string }[]
  consistency_token?: string
  import_id?: string
  stopped?: true
}

/** Sends the lines (objects as JSON, text as it is) and returns their results; `token` sees all of them. */
export async function importLines(
  key: string,
  lines: unknown[],
  options: { dryRun?: boolean; headers?: Record<string, string> } = {},
) {
  const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n')
  const answer = await call('POST', `/v1/customers/import${options.dryRun ? '?dry_run=true' : ''}`, {
    key,
    body: text,
    headers: { 'content-type': 'application/x-ndjson', ...options.headers },
  })
  return { ...answer, ...readResults(answer.text) }
}

export function readResults(text: string): { results: LineResult[]; token: string | undefined } {
  const results: LineResult[] = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
  return { results, token: results.findLast((result) => result.consistency_token)?.consistency_token }
}

/** Sends the chunks of the stream as they come. */
export function importStream(key: string, stream: ReadableStream<Uint8Array>): Promise<Response> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/x-ndjson' }
  return exports.default.fetch(requestTo('/v1/customers/import', { method: 'POST', headers, body: stream }))
}

/** Returns an export as it came, whatever its type. */
export async function exported(key: string, query = '', headers: Record<string, string> = {}) {
  const init = { headers: { authorization: `Bearer ${key}`, ...headers } }
  const answer = await exports.default.fetch(requestTo(`/v1/customers/export${query}`, init))
  return { status: answer.status, headers: answer.headers, text: await answer.text() }
}

/** Returns all customers of the tenant, in the order of their ids. */
export async function exportAll(key: string, token?: string, query = '') {
  const { status, text } = await exported(key, query, token ? { 'consistency-token': token } : {})
  if (status !== 200) throw new Error(`expected an export, got ${status} ${text}`)
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

/**
 * Returns the lines with so many faulty ones between that each part is a chunk of its own, and the places of the results of the
 * lines themselves. Blank lines have no result.
 */
export function inChunks(lines: unknown[], bounds: number[]): { padded: unknown[]; places: number[] } {
  const padded: unknown[] = []
  const places: number[] = []
  let results = 0
  for (const [at, from] of bounds.slice(0, -1).entries()) {
    for (const each of lines.slice(from, bounds[at + 1])) {
      padded.push(each)
      if (typeof each !== 'string' || each.trim() !== '') places.push(results++)
    }
    const missing = (BULK_BOUNDS.chunkLinesMax - (results % BULK_BOUNDS.chunkLinesMax)) % BULK_BOUNDS.chunkLinesMax
    if (at < bounds.length - 2) padded.push(...Array(missing).fill('null'))
    results += missing
  }
  return { padded, places }
}
