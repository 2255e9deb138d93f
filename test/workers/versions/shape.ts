/**
 * The shape of a value: its fields and their types, without their content. Two values of one shape can be read by the
 * same code.
 */
import type { Examples } from './written.ts'

/** The types of each path. */
type Shape = Record<string, string[]>
/** Keyed by the kind of value. */
type Shapes = Record<string, Shape>

/** Objects in which the keys are data. */
const MAPS = new Set(['verdicts', 'metadata', 'profile', 'days', 'tallies', 'uses'])

/** Fields whose value selects the form of the rest: each value of theirs is a type of its own. */
const TAGS = /\.(?:kind|effect|result|failure\.reason)$/

/** Returns every path in the examples with its types. A null is left out: every optional field is null at times. */
export function shapeOf(examples: readonly unknown[]): Shape {
  const types = new Map<string, Set<string>>()
  for (const example of examples) collect(example, '', types)
  return Object.fromEntries(
    [...types].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, seen]) => [path, [...seen].sort()]),
  )
}

/** Returns how two shapes differ, such as `+ kv-customers .value.nickname: string`. */
export function changesOf(before: Shapes, now: Shapes): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(now)])].flatMap((kind) => {
    const [was, is] = [before[kind] ?? {}, now[kind] ?? {}]
    const lines = (sign: string, one: Shape, other: Shape) =>
      Object.keys(one)
        .filter((path) => isComparable(path, one, other) && `${one[path]}` !== `${other[path] ?? 'missing'}`)
        .map((path) => `${sign} ${kind} ${path}: ${one[path]?.join(' or ')}`)
    return [...lines('-', was, is), ...lines('+', is, was)]
  })
}

/**
 * Returns false for the items of a list that is always empty there, for the fields of an object that is never there,
 * and for a null.
 */
function isComparable(path: string, here: Shape, there: Shape): boolean {
  if (there[path]) return there[path].length > 0 && here[path]?.length !== 0
  const parent = path.replace(/(?:\[\]|\.[^.[]*)$/, '')
  if (path === '' || path.endsWith('[]')) return path === ''
  return there[parent]?.includes('object') ?? false
}

export function shapesOf(examples: Examples): Shapes {
  return Object.fromEntries(Object.entries(examples).map(([kind, all]) => [kind, shapeOf(all)]))
}

/** One example of each shape there is. */
export function oneOfEach(examples: Examples): Examples {
  return Object.fromEntries(
    Object.entries(examples).map(([kind, all]) => [
      kind,
      [...new Map(all.map((example) => [JSON.stringify(shapeOf([example])), example])).values()],
    ]),
  )
}

function collect(value: unknown, path: string, types: Map<string, Set<string>>): void {
  const seen = types.get(path) ?? new Set()
  types.set(path, seen)
  if (value === null) return
  if (Array.isArray(value)) {
    seen.add('array')
    for (const inner of value) collect(inner, `${path}[]`, types)
  } else if (typeof value === 'object') {
    seen.add('object')
    const isMap = MAPS.has(path.slice(path.lastIndexOf('.') + 1))
    for (const [key, inner] of Object.entries(value)) {
      // JSON leaves undefined out.
      if (inner !== undefined) collect(inner, `${path}.${isMap ? '*' : key}`, types)
    }
  } else seen.add(TAGS.test(path) ? `"${value}"` : typeof value)
}
