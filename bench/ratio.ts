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
}

/** Returns the number of 2xx responses in a second. Throws if any response was not 2xx. */
export function requestsPerSecond(load: Load): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = fork(new URL('./load.mjs', import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    child.once('message', (result: { requestsPerSecond: number; non2xx: number; errors: number }) => {
      child.kill()
      if (result.non2xx + result.errors > 0) {
        reject(new Error(`${load.url}: ${result.non2xx} answers were no 2xx, ${result.errors} requests failed`))
      } else resolve(result.requestsPerSecond)
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
