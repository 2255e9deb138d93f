/**
 * The parts of a state: immutable, each kept once under a number, and the steps between them, each computed once by the real
 * code and then remembered. That is what makes an exhaustive search fast: most steps are a look-up.
 */

/** Keeps each value once. Two values are the same when their texts are. */
export class Interned<Value> {
  readonly #values: Value[] = []
  readonly #ids = new Map<string, number>()

  get size(): number {
    return this.#values.length
  }

  of(id: number): Value {
    return this.#values[id] as Value
  }

  id(value: Value): number {
    const text = textOf(value)
    const known = this.#ids.get(text)
    if (known !== undefined) return known
    this.#ids.set(text, this.#values.length)
    this.#values.push(value)
    return this.#values.length - 1
  }
}

/** Steps from two numbers to two numbers, remembered. After `find` its results are in `a` and `b`. */
export class Remembered {
  a = 0
  b = 0
  /** How often a step was computed. */
  computed = 0
  readonly #compute: (x: number, y: number) => readonly [number, number?]
  #mask = 1023
  /** Four numbers an entry: what is given, plus one so that zero means empty, and what it leads to. */
  #entries = new Int32Array(4 * 1024)

  constructor(compute: (x: number, y: number) => readonly [number, number?]) {
    this.#compute = compute
  }

  find(x: number, y = 0): number {
    const entries = this.#entries
    for (let slot = this.#slotOf(x, y); ; slot = (slot + 1) & this.#mask) {
      const at = 4 * slot
      if (entries[at] === 0) break
      if (entries[at] !== x + 1 || entries[at + 1] !== y) continue
      this.a = entries[at + 2] as number
      this.b = entries[at + 3] as number
      return this.a
    }
    const [a, b = 0] = this.#compute(x, y)
    if (2 * ++this.computed > this.#mask) this.#grow()
    this.#put(x + 1, y, a, b)
    this.a = a
    this.b = b
    return a
  }

  #put(x1: number, y: number, a: number, b: number): void {
    let slot = this.#slotOf(x1 - 1, y)
    while (this.#entries[4 * slot] !== 0) slot = (slot + 1) & this.#mask
    this.#entries.set([x1, y, a, b], 4 * slot)
  }

  #slotOf(x: number, y: number): number {
    const hash = Math.imul(Math.imul(x, 0x9e3779b1) ^ y, 0x85ebca6b)
    return (hash ^ (hash >>> 15)) & this.#mask
  }

  #grow(): void {
    const before = this.#entries
    this.#mask = 2 * this.#mask + 1
    this.#entries = new Int32Array(4 * (this.#mask + 1))
    for (let at = 0; at < before.length; at += 4) {
      if (before[at] !== 0)
        this.#put(before[at] as number, before[at + 1] as number, before[at + 2] as number, before[at + 3] as number)
    }
  }
}

/** Names of fields that hold an instant, or several: `now` never moves, so a tick takes its length from each of them. */
export type Instants = ReadonlySet<string>

const NONE: Instants = new Set()

/**
 * Returns a deep copy with all instants `ms` earlier. Keeps prototypes, and objects that are in several places stay one object.
 * What is frozen, or a function, is shared.
 */
export function copyOf<Value>(value: Value, instants: Instants = NONE, ms = 0): Value {
  return copy(value, false, instants, ms, new Map()) as Value
}

function copy(
  value: unknown,
  isInstant: boolean,
  instants: Instants,
  ms: number,
  copies: Map<object, object>,
): unknown {
  if (typeof value === 'number') return isInstant ? value - ms : value
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  const known = copies.get(value)
  if (known) return known
  if (ArrayBuffer.isView(value)) return (value as Float64Array).slice()
  if (Array.isArray(value)) {
    const items: unknown[] = []
    copies.set(value, items)
    for (const item of value) items.push(copy(item, isInstant, instants, ms, copies))
    return items
  }
  if (value instanceof Map) {
    const entries = new Map<unknown, unknown>()
    copies.set(value, entries)
    for (const [key, item] of value) entries.set(key, copy(item, isInstant, instants, ms, copies))
    return entries
  }
  if (value instanceof Set) return new Set([...value].map((item) => copy(item, isInstant, instants, ms, copies)))
  const object: Record<string, unknown> = Object.create(Object.getPrototypeOf(value))
  copies.set(value, object)
  const fields = value as Record<string, unknown>
  for (const key in fields) {
    if (Object.hasOwn(fields, key)) object[key] = copy(fields[key], instants.has(key), instants, ms, copies)
  }
  return object
}

/**
 * Returns a text that two values share only if they are the same in every field. An object that was met before is named by its
 * place. Functions are left out.
 */
export function textOf(value: unknown, met: Map<object, number> = new Map()): string {
  if (typeof value === 'number') return `${value}`
  if (typeof value === 'string') return `"${value}"`
  if (typeof value === 'function') return ''
  if (typeof value !== 'object' || value === null) return String(value)
  const place = met.get(value)
  if (place !== undefined) return `#${place}`
  met.set(value, met.size)
  let text = ''
  if (Array.isArray(value) || value instanceof Set || value instanceof Float64Array) {
    for (const item of value) text += `${textOf(item, met)},`
    return `[${text}]`
  }
  if (value instanceof Map) {
    for (const [key, item] of value) text += `${textOf(key, met)}:${textOf(item, met)},`
    return `{${text}}`
  }
  const fields = value as Record<string, unknown>
  const isPlain = Object.getPrototypeOf(value) === Object.prototype
  // Objects of a class have the same fields in the same order.
  for (const key in fields) {
    if (Object.hasOwn(fields, key))
      text += isPlain ? `${key}:${textOf(fields[key], met)},` : `${textOf(fields[key], met)},`
  }
  return `{${text}}`
}
