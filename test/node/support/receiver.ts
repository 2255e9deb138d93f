/**
 * A receiver of webhooks on this machine, for tests that serve a Roster.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Receiver {
  url: string
  /** Answers with this status from now on. */
  answerWith(status: number): void
  /** Resolves when it has received so many requests. */
  received(requests: number): Promise<void>
  close(): Promise<void>
}

export async function receiverThat(first: number): Promise<Receiver> {
  let status = first
  let count = 0
  let waiting: { requests: number; resolve: () => void }[] = []
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => {
      response.writeHead(status).end(status < 300 ? '' : 'The queue is full')
      count++
      for (const { requests, resolve } of waiting) if (count >= requests) resolve()
      waiting = waiting.filter(({ requests }) => count < requests)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks`,
    answerWith: (next) => {
      status = next
    },
    received: (requests) =>
      count >= requests ? Promise.resolve() : new Promise((resolve) => waiting.push({ requests, resolve })),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}
