/**
 * The router of the app: Hono's TrieRouter, which takes the paths that few requests have apart segment by segment. For the
 * reads and changes that nearly all requests are, it remembers the match of the template as one handler, and only the parameter is
 * new. It is built with the first request, because the start of a Worker has little CPU time.
 */
import type { Result, Router } from 'hono/router'
import { TrieRouter } from 'hono/router/trie-router'

/** A template with one parameter at its end. */
export interface HotRoute {
  method: string
  /** The beginning of a path, in its last segment, which is the parameter: `/v1/customers/cust_`. */
  prefix: string
  /** The template: `/v1/customers/:id`. */
  path: string
}

/** The match of a template: its joined handler, with the place of its parameter in the list of values. */
type Match<T> = [[T, Record<string, number>]]

export class HotRouter<T> implements Router<T> {
  name = 'HotRouter'
  readonly #added: [method: string, path: string, handler: T][] = []
  /** The names that paths end with. A path that ends with one of them may match another route too: `/v1/customers/:id/events`. */
  readonly #names = new Set<string>()
  #trie: TrieRouter<T> | null = null
  readonly #hot: { route: HotRoute; from: number; param: string; match: Match<T> | null }[]
  readonly #join: (handlers: T[]) => T

  /** `join` makes one handler of those that match a hot route, in their order: middleware first. */
  constructor(routes: readonly HotRoute[], join: (handlers: T[]) => T) {
    this.#hot = routes.map((route) => {
      const from = route.path.lastIndexOf('/:') + 1
      return { route, from, param: route.path.slice(from + 1), match: null }
    })
    this.#join = join
  }

  add(method: string, path: string, handler: T): void {
    if (this.#trie) throw new Error(`${method} ${path} was added after the first request`)
    this.#added.push([method, path, handler])
    this.#names.add(path.slice(path.lastIndexOf('/') + 1))
  }

  match(method: string, path: string): Result<T> {
    const trie = this.#trie ?? this.#build()
    for (const each of this.#hot) {
      const { route, from } = each
      if (method !== route.method || !path.startsWith(route.prefix)) continue
      if (path.length === route.prefix.length || path.includes('/', route.prefix.length)) continue
      const value = path.slice(from)
      if (this.#names.has(value)) continue
      each.match ??= [[this.#join(trie.match(method, path)[0].map(([handler]) => handler)), { [each.param]: 0 }]]
      return [each.match, [value]]
    }
    return trie.match(method, path)
  }

  #build(): TrieRouter<T> {
    const trie = new TrieRouter<T>()
    for (const [method, path, handler] of this.#added) trie.add(method, path, handler)
    this.#trie = trie
    return trie
  }
}
