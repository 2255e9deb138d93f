/** How the import tests send files and read answers. */
import { exports } from 'cloudflare:workers'
import { call, ORIGIN } from '../support/roster.ts'

export interface LineResult {
  line: number
  result: 'created' | 'updated' | 'unchanged' | 'error'
  id: string | null
  external_id: string | null
  errors: { field: string; message: string; fix: string }[]
  consistency_token?: string
  stopped?: true
}

/** Sends the lines (objects as JSON, text as it is) and answers their results; `token` sees all of them. */
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

/** Sends what the stream gives, as it gives it. */
export function importStream(key: string, stream: ReadableStream<Uint8Array>): Promise<Response> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/x-ndjson' }
  return exports.default.fetch(new Request(`${ORIGIN}/v1/customers/import`, { method: 'POST', headers, body: stream }))
}

/** An answer as it came, whatever its type. */
export async function exported(key: string, query = '', headers: Record<string, string> = {}) {
  const init = { headers: { authorization: `Bearer ${key}`, ...headers } }
  const answer = await exports.default.fetch(new Request(`${ORIGIN}/v1/customers/export${query}`, init))
  return { status: answer.status, headers: answer.headers, text: await answer.text() }
}

/** All customers of the tenant, in the order of their ids. */
export async function exportAll(key: string, token?: string, query = '') {
  const { status, text } = await exported(key, query, token ? { 'consistency-token': token } : {})
  if (status !== 200) throw new Error(`expected an export, got ${status} ${text}`)
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}
