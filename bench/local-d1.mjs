/** A local D1 for a bench: its file can be filled by SQLite itself, which is many times faster than through D1. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'

/**
 * Runs each statement a few times in a row, one statement after the other, and all of that again: so what else the machine
 * does meets all of them. The clock of a Worker is coarse, so a time is that of one such row.
 */
const WORKER = `export default {
  async fetch(request, env) {
    const { statements, rounds, timesInARow } = await request.json()
    const measured = statements.map(() => ({ rowsMs: [], rowsRead: 0, shown: 0 }))
    for (let round = 0; round < rounds; round++) {
      for (const [at, { sql, sets }] of statements.entries()) {
        const startMs = performance.now()
        let last
        for (let time = 0; time < timesInARow; time++) {
          last = await env.DB.prepare(sql).bind(...sets[(round * timesInARow + time) % sets.length]).all()
        }
        measured[at].rowsMs.push((performance.now() - startMs) / timesInARow)
        measured[at].rowsRead = last.meta.rows_read
        measured[at].shown = last.results.length
      }
    }
    return Response.json(measured)
  },
}`

/**
 * Opens a D1 in a folder of its own, below `BENCH_FOLDER` if that is set. `fill` gets the open SQLite file first. Returns
 * `measure`, which takes statements `{sql, sets}` and runs them with each set of values in turn, and `close`.
 */
export async function filledD1(fill) {
  const folder = mkdtempSync(path.join(process.env.BENCH_FOLDER ?? tmpdir(), 'roster-bench-'))
  const open = () => {
    const worker = {
      name: 'bench',
      modules: [{ type: 'ESModule', path: 'bench.mjs', contents: WORKER }],
      compatibilityDate: '2026-01-01',
      d1Databases: { DB: 'DB' },
    }
    return new Miniflare(convertV4MiniflareOptions({ resourcePersistencePath: folder, workers: [worker] }))
  }
  const empty = open()
  await (await empty.getD1Database('DB')).prepare('SELECT 1').run()
  await empty.dispose()
  const sqlite = new DatabaseSync(path.join(folder, fileOf(folder)))
  sqlite.exec('PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL; PRAGMA cache_size = -500000')
  fill(sqlite)
  sqlite.close()
  const filled = open()
  const url = await filled.ready
  return {
    async measure(statements, { rounds, timesInARow }) {
      const body = JSON.stringify({ statements, rounds, timesInARow })
      const response = await fetch(url, { method: 'POST', body })
      if (!response.ok) throw new Error(await response.text())
      return (await response.json()).map(({ rowsMs, ...more }) => ({ ...more, ms: median(rowsMs) }))
    },
    async close() {
      await filled.dispose()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function fileOf(folder) {
  const files = readdirSync(folder, { recursive: true }).map(String)
  const file = files.find((name) => name.startsWith('d1') && name.endsWith('.sqlite') && !name.includes('metadata'))
  if (!file) throw new Error(`Miniflare keeps its D1 in no file of ${folder} that this bench knows`)
  return file
}

/** Returns the median: a single run waits for other processes. */
export function median(times) {
  return [...times].sort((a, b) => a - b)[times.length >> 1]
}
