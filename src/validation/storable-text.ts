/**
 * Finds text in parsed JSON that SQLite or UTF-8 cannot hold.
 */
import { isStorableText } from '../registry/customer.ts'
import type { InputProblem } from '../registry/errors.ts'

/**
 * Returns a problem for the first string or key in parsed JSON that cannot be stored; null if there is none. Iterates
 * with a list of its own: recursion over ten thousand levels would overflow the stack and end the request with a 500.
 */
export function unstorableString(value: unknown, path = ''): InputProblem | null {
  const open: { value: unknown; path: string }[] = [{ value, path }]
  for (let at = open.pop(); at; at = open.pop()) {
    if (typeof at.value === 'string' && !isStorableText(at.value)) return problemAt(at.path)
    if (typeof at.value !== 'object' || at.value === null) continue
    for (const [key, inner] of Object.entries(at.value)) {
      if (!isStorableText(key)) return problemAt(at.path)
      open.push({ value: inner, path: at.path === '' ? key : `${at.path}.${key}` })
    }
  }
  return null
}

function problemAt(field: string): InputProblem {
  return {
    field,
    message: 'holds a NUL character or half of a surrogate pair',
    fix: 'remove \\u0000 and send both halves of every surrogate pair',
  }
}
