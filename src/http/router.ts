/**
 * The router of the app: Hono's TrieRouter, which takes the paths that few requests have apart segment by segment. For the
 * reads that nearly all requests are, it remembers the match of the template, and only the parameter is new. It is built with the
 * first request, because the start of a Worker has little CPU time.
 */
import type { Result, Router } from 'hono/router'
import { TrieRouter } from 'hono/router/trie-router'

/** A template with one parameter at its end, and no other route behind the prefix. */
export interface HotRoute {
  method: string
  /** The beginning of a path, before a parameter of one segment: `/v1/customers/cust_`. */
  prefix: string
  /** The template: `/v1/customers/:id`. */
  path: string
}

type Handlers<T> = [T, Record<string, string>][]

export class HotRouter<T> implements Router<T> {
  name = 'HotRouter'
  readonly #added: [method: string, path: string, handler: T][] = []
  #trie: TrieRouter<T> | null = null
  readonly #hot: { route: HotRoute; from: number; param: string; matched: Handlers<T> | null }[]

  constructor(routes: readonly HotRoute[]) {
    this.#hot = routes.map((route) => {
      const from = route.path.lastIndexOf('/:') + 1
      return { route, from, param: route.path.slice(from + 1), matched: null }
    })
  }

  add(method: string, path: string, handler: T): void {
    if (this.#trie) throw new Error(`${method} ${path} was added after the first request`)
    this.#added.push([method, path, handler])
  }

  match(method: string, path: string): Result<T> {
    const trie = this.#trie ?? this.#build()
    for (const each of this.#hot) {
      const { route, from, param } = each
      if (method !== route.method || !path.startsWith(route.prefix)) continue
      if (path.length === route.prefix.length || path.includes('/', route.prefix.length)) continue
      each.matched ??= trie.match(method, path)[0] as Handlers<T>
      const params = { [param]: path.slice(from) }
      return [each.matched.map(([handler, known]) => [handler, param in known ? params : known])]
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
