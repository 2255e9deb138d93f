/**
 * The router of the app: Hono's TrieRouter, which takes the paths that few requests have apart segment by segment. For the
 * reads and changes that nearly all requests are, it remembers the match of the template, and only the parameter is new. It is built
 * with the first request, because the start of a Worker has little CPU time.
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

/** The match of a template: each handler, with the place of its parameters in the list of values. */
type Handlers<T> = [T, Record<string, number>][]

export class HotRouter<T> implements Router<T> {
  name = 'HotRouter'
  readonly #added: [method: string, path: string, handler: T][] = []
  /** The names that paths end with. A path that ends with one of them may match another route too: `/v1/customers/:id/events`. */
  readonly #names = new Set<string>()
  #trie: TrieRouter<T> | null = null
  readonly #hot: { route: HotRoute; from: number; param: string; handlers: Handlers<T> | null }[]

  constructor(routes: readonly HotRoute[]) {
    this.#hot = routes.map((route) => {
      const from = route.path.lastIndexOf('/:') + 1
      return { route, from, param: route.path.slice(from + 1), handlers: null }
    })
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
      each.handlers ??= placed(trie.match(method, path), each.param)
      return [each.handlers, [value]]
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

/** Returns the match of a path for all paths of its template, where the value of the parameter is the first of the list. */
function placed<T>([handlers]: Result<T>, param: string): Handlers<T> {
  return handlers.map(([handler, known]) => [handler, param in known ? { [param]: 0 } : {}])
}
