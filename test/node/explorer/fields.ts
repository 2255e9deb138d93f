/** The fields of what a state is made of, by name: so that a new one is noticed before it makes two states look alike. */

/** Returns the names of the fields of all objects in the value: `Class.field`, or the field alone for plain objects. */
export function fieldsIn(value: unknown, names: Set<string> = new Set(), met: Set<object> = new Set()): Set<string> {
  if (typeof value !== 'object' || value === null || met.has(value)) return names
  met.add(value)
  if (value instanceof Map || value instanceof Set || Array.isArray(value)) {
    for (const item of value.values()) fieldsIn(item, names, met)
    return names
  }
  if (ArrayBuffer.isView(value)) return names
  const isPlain = Object.getPrototypeOf(value) === Object.prototype
  const kind = isPlain ? '' : `${value.constructor.name.replace(/^_/, '')}.`
  for (const [name, item] of Object.entries(value)) {
    names.add(kind + name)
    fieldsIn(item, names, met)
  }
  return names
}
