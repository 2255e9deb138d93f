import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson } from '../../../src/shared/canonical-json.ts'
import { changesOf, type FieldChange } from '../../../src/tenants/audit-changes.ts'
import { storedJson } from '../../../src/validation/json.ts'

type Document = Record<string, unknown>

const text = fc.constantFrom('', 'a', 'b')
const leaf = fc.oneof(text, fc.nat(2), fc.boolean(), fc.constant(null), fc.array(text, { maxLength: 2 }))
/** Names with dots, and those of every object, are names of metadata like others. */
const metadataName = fc.constantFrom('plan', 'a.b', 'b', '.', '', '__proto__', 'constructor')
const group = fc.option(fc.dictionary(metadataName, leaf, { maxKeys: 4 }))
const stamps = { version: fc.nat(3), updated_at: fc.nat(3), stamps: fc.record({ updated_by: text }) }
const document = fc.record(
  {
    name: leaf,
    status: leaf,
    limits: group,
    metadata: group,
    integrations: fc.array(fc.record({ id: text })),
    ...stamps,
  },
  { requiredKeys: [] },
)

/** Returns a document with changes applied to it. */
function applied(before: Document, changes: readonly FieldChange[]): Document {
  const result = structuredClone(before)
  for (const { field, after } of changes) {
    const dot = field.indexOf('.')
    if (dot === -1) result[field] = after
    else {
      const name = field.slice(0, dot)
      const inside = new Map(Object.entries((result[name] ?? {}) as Document)).set(field.slice(dot + 1), after)
      result[name] = Object.fromEntries(inside)
    }
  }
  return result
}

/** Returns what a document says: without nulls, empty objects, and what follows from each change. */
function said(value: Document): string {
  const { version: _v, updated_at: _u, stamps: _s, ...rest } = value
  const kept = (one: Document): Document =>
    Object.fromEntries(
      Object.entries(one)
        .map(([name, inner]): [string, unknown] => [name, isObject(inner) ? kept(inner) : inner])
        .filter(([, inner]) => inner !== null && !(isObject(inner) && Object.keys(inner).length === 0)),
    )
  return canonicalJson(kept(rest))
}

function isObject(value: unknown): value is Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

describe('the changes of an entry', () => {
  it('make the document after out of the one before, name no field that is the same, and each field once', () => {
    let changed = 0
    fc.assert(
      fc.property(document, document, (before, after) => {
        const changes = changesOf(before, after)
        changed += changes.length
        expect(said(applied(before, changes))).toBe(said(after))
        for (const change of changes) expect(canonicalJson(change.before)).not.toBe(canonicalJson(change.after))
        expect(new Set(changes.map(({ field }) => field)).size).toBe(changes.length)
        expect(said(applied(after, changesOf(after, before)))).toBe(said(before))
        expect(changesOf(before, structuredClone(before))).toEqual([])
      }),
      { numRuns: 500, seed: 7 },
    )
    expect(changed).toBeGreaterThan(500)
  })

  it('are none where there was nothing before, or is nothing after', () => {
    expect([changesOf(null, { name: 'a' }), changesOf({ name: 'a' }, null), changesOf(null, null)]).toEqual([
      [],
      [],
      [],
    ])
  })

  it('keep the digits of numbers, and see when only these differ', () => {
    const [before, after] = ['{"metadata": {"rate": 1.1}}', '{"metadata": {"rate": 1.10}}'].map(
      storedJson,
    ) as Document[]
    const changes = changesOf(before as Document, after as Document)
    expect(JSON.stringify(changes)).toBe('[{"field":"metadata.rate","before":1.1,"after":1.10}]')
  })
})
