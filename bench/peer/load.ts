/** Makes the load of one round with wrk, on a core of its own. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { LOAD_CORE } from './pinned.ts'
import { findTools } from './tools.ts'

const SCRIPT = fileURLToPath(new URL('./load.lua', import.meta.url))

/** A kind of request. `{id}` in the path is one of the plan's ids, `{n}` in the body a text that no other request has. */
export interface Template {
  /** The share among the templates of a plan, whose weights are 100 in all. */
  weight: number
  method: string
  path: string
  body: string
}

export interface Plan {
  key: string
  templates: readonly Template[]
  ids: readonly string[]
  /** The beginning of each `{n}`. */
  prefix: string
  connections: number
  seconds: number
}

export interface LoadResult {
  requests: number
  perSecond: number
  /** Responses from 400 on. */
  refused: number
  failed: number
}

/** Sends the requests of a plan. Throws if wrk fails. */
export async function sendLoad(origin: string, plan: Plan): Promise<LoadResult> {
  const folder = mkdtempSync(path.join(tmpdir(), 'peer-load-'))
  const file = path.join(folder, 'plan.lua')
  writeFileSync(file, `return ${luaOf({ ...plan })}`)
  const { wrk, env } = findTools()
  const { connections, seconds } = plan
  const options = ['-t', '1', '-c', String(connections), '-d', `${seconds}s`, '--timeout', '10s', '-s', SCRIPT]
  try {
    const args = ['-c', LOAD_CORE, wrk, ...options, origin, '--', file]
    const { stdout } = await promisify(execFile)('taskset', args, { env })
    return resultOf(stdout)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Reads the line that the script prints. Throws if there is none. */
export function resultOf(printed: string): LoadResult {
  const numbers = /^RESULT (.*)$/m.exec(printed)?.[1]?.split(' ').map(Number)
  if (numbers?.length !== 4) throw new Error(`wrk printed no result: ${printed}`)
  const [requests = 0, durationUs = 0, refused = 0, failed = 0] = numbers
  return { requests, perSecond: (requests * 1e6) / durationUs, refused, failed }
}

/** Returns a value of texts, numbers, lists and objects as Lua writes it. */
export function luaOf(value: unknown): string {
  if (Array.isArray(value)) return `{${value.map(luaOf).join(',')}}`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  return `{${Object.entries(value)
    .map(([name, inner]) => `${name}=${luaOf(inner)}`)
    .join(',')}}`
}
