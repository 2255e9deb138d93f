/**
 * Compares two servers fairly on a noisy machine: rounds in turn (A B A B …), a ratio for each pair, the median of the
 * ratios. The load comes from a process of its own, so that the servers share one core and the client has the other.
 */
import { fork } from 'node:child_process'

export interface Load {
  url: string
  headers?: Record<string, string>
  connections: number
  seconds: number
  /** Requests that are sent one after the other instead of the same GET of `url`. `headers` are then in each. */
  requests?: readonly { method: string; path: string; headers: Record<string, string>; body?: string }[]
  /** The status of all responses but one in a hundred: each is a 200 if left out. */
  expected?: number
}

export interface Answered {
  requestsPerSecond: number
  count: number
}

/** Returns the number of responses in a second. Throws if any had another status than the expected one. */
export async function requestsPerSecond(load: Load): Promise<number> {
  return (await answered(load)).requestsPerSecond
}

/** Returns the responses of the load. Throws if any had another status than the expected one. */
export function answered(load: Load): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const child = fork(new URL('./load.mjs', import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    child.once('message', (result: Answered & { others: number; errors: number }) => {
      child.kill()
      const othersMax = load.expected === undefined ? 0 : result.count / 100
      if (result.others > othersMax || result.errors > 0) {
        reject(new Error(`${load.url}: ${result.others} answers had another status, ${result.errors} requests failed`))
      } else resolve(result)
    })
    child.once('error', reject)
    child.send(load)
  })
}

export async function compare(
  a: Load,
  b: Load,
  rounds: number,
): Promise<{ ratio: number; ratios: number[]; a: number; b: number }> {
  const as: number[] = []
  const bs: number[] = []
  for (let round = 0; round < rounds; round++) {
    as.push(await requestsPerSecond(a))
    bs.push(await requestsPerSecond(b))
  }
  const ratios = as.map((value, at) => value / (bs[at] as number))
  return { ratio: median(ratios), ratios, a: median(as), b: median(bs) }
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}
