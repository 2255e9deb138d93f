/**
 * The router of the app: Hono's TrieRouter, which takes the paths that few requests have apart segment by segment. For the
 * reads that nearly all requests are, it remembers the match of the template, and only the parameter is new.
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
  readonly #trie = new TrieRouter<T>()
  readonly #hot: { route: HotRoute; from: number; param: string; matched: Handlers<T> | null }[]

  constructor(routes: readonly HotRoute[]) {
    this.#hot = routes.map((route) => {
      const from = route.path.lastIndexOf('/:') + 1
      return { route, from, param: route.path.slice(from + 1), matched: null }
    })
  }

  add(method: string, path: string, handler: T): void {
    this.#trie.add(method, path, handler)
    for (const each of this.#hot) each.matched = null
  }

  match(method: string, path: string): Result<T> {
    for (const each of this.#hot) {
      const { route, from, param } = each
      if (method !== route.method || !path.startsWith(route.prefix)) continue
      if (path.length === route.prefix.length || path.includes('/', route.prefix.length)) continue
      each.matched ??= this.#trie.match(method, path)[0] as Handlers<T>
      const params = { [param]: path.slice(from) }
      return [each.matched.map(([handler, known]) => [handler, param in known ? params : known])]
    }
    return this.#trie.match(method, path)
  }
}
