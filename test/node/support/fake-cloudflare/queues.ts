/** The queues of the fake account and their consumers. */
import { Refusal } from './answers.ts'

export class FakeQueues {
  readonly queues = new Map<string, { consumers: unknown[]; jurisdiction?: string | undefined }>()

  /** Answers `/queues[/id[/consumers]]`. */
  answer(
    method: string | undefined,
    [id, action]: string[],
    query: URLSearchParams,
    json: () => Record<string, string>,
  ): unknown {
    if (id === undefined && method === 'GET') {
      const names = query.getAll('name')
      return [...this.queues]
        .filter(([name]) => names.length === 0 || names.includes(name))
        .map(([name, queue]) => ({ queue_name: name, queue_id: name, ...queue, producers: [] }))
    }
    if (id === undefined) {
      const { queue_name: name = '', jurisdiction } = json()
      if (this.queues.has(name)) return new Refusal(409, 11009, 'Queue name already taken')
      this.queues.set(name, { consumers: [], jurisdiction })
      return { queue_name: name, queue_id: name }
    }
    if (action !== 'consumers') return undefined
    if (method === 'GET') return this.queues.get(id)?.consumers ?? []
    if (method !== 'POST') return json()
    const made = { ...json(), consumer_id: `${id}-consumer`, type: 'worker', script: json().script_name }
    this.queues.get(id)?.consumers.push(made)
    return made
  }
}
